"""Mount a door in a FastAPI app of one's own: who is logged in reads the lobby, and says things."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Annotated, Any

from fastapi import FastAPI, Path, Response
from fastapi.responses import HTMLResponse
from starlette.requests import HTTPConnection

from actors import StatefulChord
from chord import REMOVE
from chord.web.door import Door

PAGE = """<!doctype html><title>Lobby</title><ul></ul><input placeholder="Say something">
<script type="module">
import {connect} from "/chord/chord.mjs";
await fetch("/login/" + encodeURIComponent(prompt("Your name?")), {method: "POST"});
const room = connect("/chord/ws").watch("lobby");
room.on("change", ({state}) => document.querySelector("ul").replaceChildren(
  ...Object.values(state.said).map(({by, text}) =>
    Object.assign(document.createElement("li"), {textContent: by + ": " + text}))));
document.querySelector("input").onchange = ({target}) =>
  room.call("say", target.value).then(() => target.value = "");
</script>"""

KEPT = 200  # things said
KNOWN = 10_000  # names: who logged in first is forgotten first

names: dict[str, str] = {}  # of who is logged in, by the secret in their cookie


def find_name(connection: HTTPConnection) -> str | None:
    return names.get(connection.cookies.get("session", ""))


def allow(name: str, action: str, context_id: str) -> bool:
    return context_id == "lobby" and action in ("read", "call")


@asynccontextmanager
async def run(app: FastAPI) -> AsyncIterator[None]:
    async with StatefulChord.open("memory://") as chord:
        await chord.set_context("lobby", {"said": {}})
        numbers = count()

        async def call(name: str, context_id: str, command: str, arguments: list[Any]) -> None:
            match command, arguments:
                case "say", [str(text)]:
                    number = next(numbers)
                    said = {str(number): {"by": name, "text": text[:1000]}}
                    too_old = {str(number - KEPT): REMOVE}
                    await chord.update_context(context_id, {"said": said | too_old})
                case _:
                    raise PermissionError(command)

        app.mount("/chord", Door(chord, authenticate=find_name, authorize=allow, call=call))
        yield


app = FastAPI(lifespan=run)  # uvicorn examples.fastapi_chat:app


@app.get("/")
def show() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.post("/login/{name}")
def log_in(name: Annotated[str, Path(max_length=40)], response: Response) -> None:
    session = secrets.token_urlsafe()
    names[session] = name
    if len(names) > KNOWN:
        del names[next(iter(names))]
    response.set_cookie("session", session, httponly=True, samesite="strict")
