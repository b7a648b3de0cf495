"""Serve an ASGI app on a free port of the loopback, for clients that need a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from chord.web.door import Door
from chord.web.serving import listen, name, run_door
from tests.waiting import PATIENCE


@asynccontextmanager
async def host(door: Door) -> AsyncIterator[str]:
    """Serve the door meanwhile; its URL begins so."""
    ended = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(run_door(door, listener, ended))
        try:
            yield name(listener)
        finally:
            ended.set()
            with anyio.fail_after(PATIENCE, shield=True):
                await serving
