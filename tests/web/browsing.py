"""Hold a site with a door, on a real server, and a browser that looks at it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tests.waiting import PATIENCE, until
from tests.web.programs import find_program

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage, Page

FILES: Final = Path(__file__).parent / "browser"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@attrs.frozen
class Tab:
    """A page of the site, and what it complained of."""

    page: Page
    complaints: list[str]

    def hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(said.text)

    async def run(self, script: str, argument: Any = None) -> Any:
        """What an expression, or a function of the argument, comes to in the page."""
        return await self.page.evaluate(script, argument)

    async def wait(self, script: str, argument: Any = None) -> None:
        """Wait until it is true in the page."""
        await self.page.wait_for_function(script, arg=argument, timeout=1000 * PATIENCE)


def make_site(door: ASGIApp) -> Starlette:
    """A page that has the client as `chord`, and a rough line as `rough`, with the door beside."""
    return Starlette(
        routes=[
            Route("/", lambda request: FileResponse(FILES / "page.html")),
            Route("/rough.mjs", lambda request: FileResponse(FILES / "rough.mjs")),
            Mount("/chord", door),
        ]
    )


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an app on a free port of this machine; the address is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        try:
            await until(lambda: server.started or task.done())
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def browsing(address: str) -> AsyncIterator[Tab]:
    """Open the site's page in Chromium."""
    from playwright.async_api import async_playwright  # not for who only collects the tests

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_program("chromium"), args=FLAGS
        )
        try:
            yield await _open(await browser.new_page(), address)
        finally:
            await browser.close()


async def _open(page: Page, address: str) -> Tab:
    tab = Tab(page, [])
    page.on("console", lambda said: tab.hear(said))
    page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    await page.goto(address)
    await tab.wait("document.title === 'ready'")
    return tab
