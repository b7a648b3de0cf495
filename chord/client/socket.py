"""Open WebSockets, and say why they end. The only file that knows the library that carries them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, Final, TypeAlias

import attrs

from chord.client.faults import ConnectionRefused
from chord.errors import ChordError
from chord.web.wire import Encoding

try:
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.client import connect as open_websocket
    from websockets.exceptions import (
        ConnectionClosed,
        InvalidHandshake,
        InvalidStatus,
        InvalidURI,
        NegotiationError,
    )
    from websockets.typing import Subprotocol
except ImportError as error:
    raise ImportError(
        "chord.client needs the websockets package: pip install 'chord-sync[client]'"
    ) from error

Headers: TypeAlias = Mapping[str, str]
MakeHeaders: TypeAlias = Callable[[], Headers | Awaitable[Headers]]
"""Makes the headers of each handshake anew, as for credentials that run out. What it raises is
tried again later, but for a `ChordError`, which ends the client. As the next may do better, the
client does not end where the server takes these for nobody's (401, 4401), either."""

MAX_SIZE: Final = 64 * 1024 * 1024
"""Bytes of the largest message that is taken from a server, unless said otherwise."""

CLOSING: Final = 1.0
"""Seconds in which the other side may answer that the socket is closed."""

_FOR_GOOD: Final = frozenset({4400, 4401, 4403})
_UNAUTHENTICATED: Final = 4401
_CROWDED: Final = 4429
_TOO_LARGE: Final = frozenset({1009, 4413})
_PASSING_STATUSES: Final = frozenset({408, 425, 429})


class Lost(Exception):
    """The connection ended, or there was none; another try may do. `crowded`: but not soon.

    `too_large`: what was said is more than the server takes; `overflown`: the other way round.
    """

    def __init__(
        self,
        why: str,
        *,
        crowded: bool = False,
        too_large: bool = False,
        overflown: bool = False,
    ) -> None:
        super().__init__(why)
        self.crowded = crowded
        self.too_large = too_large
        self.overflown = overflown


@attrs.frozen
class Socket:
    """A connection that speaks one encoding. Its errors are `Lost` and `ConnectionRefused`.

    `renews` says that the next one has other credentials.
    """

    _connection: ClientConnection
    _encoding: Encoding
    _renews: bool = False

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _read_end(closed, self._renews) from None

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data, text=self._encoding is Encoding.JSON)
        except ConnectionClosed as closed:
            raise _read_end(closed, self._renews) from None

    async def close(self) -> None:
        await self._connection.close()


@attrs.frozen(kw_only=True)
class Dialer:
    """Opens sockets to one server; `options` are those of websockets' `connect`."""

    url: str
    encoding: Encoding
    headers: Headers | MakeHeaders | None = None
    options: Mapping[str, Any] = {}

    async def dial(self) -> Socket:
        """Connect once. Raises `Lost`, or `ConnectionRefused` where trying again does not help."""
        asked = Subprotocol(self.encoding.subprotocol)
        options = {"max_size": MAX_SIZE, "close_timeout": CLOSING, **self.options}
        headers = await self._make_headers()
        try:
            connection = await open_websocket(
                self.url,
                subprotocols=[asked],
                additional_headers=headers,
                ping_interval=None,  # the server's pings are part of the protocol
                **options,
            )
        except InvalidStatus as error:
            raise _read_status(error, callable(self.headers)) from None
        except (InvalidURI, NegotiationError) as error:
            raise ConnectionRefused(0, str(error)) from None
        except (InvalidHandshake, OSError, EOFError) as error:
            raise Lost(f"{self.url}: {error}") from None
        if connection.subprotocol != asked:
            await connection.close()
            raise ConnectionRefused(0, f"the server does not speak {asked}")
        return Socket(connection, self.encoding, callable(self.headers))

    async def _make_headers(self) -> Headers:
        if not callable(self.headers):
            return self.headers or {}
        try:
            made = self.headers()
            return await made if isawaitable(made) else made
        except ChordError:
            raise
        except Exception as error:  # the application's; what it asks may be away for a while
            raise Lost(f"no headers: {error!r:.200}") from error


def _read_status(error: InvalidStatus, renews: bool) -> Exception:
    status = error.response.status_code
    if renews and status == 401:
        return Lost(str(error))
    if 400 <= status < 500 and status not in _PASSING_STATUSES:
        return ConnectionRefused(status, error.response.reason_phrase)
    return Lost(str(error), crowded=status == 429)


def _read_end(closed: ConnectionClosed, renews: bool) -> Exception:
    if _ended_here(closed):
        return Lost(str(closed), overflown=closed.sent is not None and closed.sent.code == 1009)
    end = closed.rcvd
    if end is None:
        return Lost(str(closed))
    if end.code in _FOR_GOOD and not (renews and end.code == _UNAUTHENTICATED):
        return ConnectionRefused(end.code, end.reason)
    too_large = end.code in _TOO_LARGE
    return Lost(str(closed), crowded=end.code == _CROWDED, too_large=too_large)


def _ended_here(closed: ConnectionClosed) -> bool:
    """Whether the library ended it, as for a message that it does not take."""
    return closed.sent is not None and not closed.rcvd_then_sent
