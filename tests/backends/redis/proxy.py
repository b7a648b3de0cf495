"""Hold `Proxy`, which stands before a server and can lose a reply."""

from __future__ import annotations

import asyncio
from typing import Self


class Proxy:
    """Passes bytes on between clients and a server on this machine, on a free port of its own."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._loses = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lost = 0

    def lose_next_reply(self) -> None:
        """Let the server's next words vanish, and hang up on its client."""
        self._loses = True

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        tasks = [
            asyncio.create_task(self._pass_requests(client, to_server)),
            asyncio.create_task(self._pass_replies(server, to_client)),
        ]
        self._tasks.update(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            to_client.close()
            to_server.close()

    async def _pass_requests(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            to.write(chunk)
            await to.drain()

    async def _pass_replies(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            if self._loses:
                self._loses = False
                self.lost += 1
                return
            to.write(chunk)
            await to.drain()
