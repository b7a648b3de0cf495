"""Hold `cable_to`, between a client and a server: each of its connections breaks at some byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Cable:
    """Forwards connections to a server's port; each carries as many bytes as `lasts` says."""

    def __init__(self, port: int, lasts: Callable[[], int]) -> None:
        self._port = port
        self._lasts = lasts
        self.url = ""
        self.breaks = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        wire = _Wire(self._lasts(), self)
        await asyncio.gather(wire.pump(reader, far_writer), wire.pump(far_reader, writer))


class _Wire:
    """Both directions of one connection."""

    def __init__(self, left: int, cable: Cable) -> None:
        self.left = left
        self._cable = cable

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while self.left > 0 and (data := await reader.read(65536)):
                writer.write(data[: self.left])
                self.left -= len(data)
                self._cable.breaks += self.left <= 0
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def cable_to(address: str, lasts: Callable[[], int]) -> AsyncIterator[Cable]:
    """A cable to ``127.0.0.1:port``."""
    cable = Cable(int(address.rpartition(":")[2]), lasts)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    async with server:
        cable.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield cable
