"""A client of Chord over the network: it reads, writes and watches contexts over a WebSocket.

    async with connect("wss://example.org/chord/") as client:
        await client.update("room:1", {"n": Increment()}, op_id="click-81", create={"n": 0})
        async with client.watch("room:1") as room:
            print(room.state)
            async for change in room:
                print(change.changes, change.state)

It connects again when the connection is lost, and goes on where it was.
"""

from chord.client.backoff import Backoff
from chord.client.client import Client, Seen, Written, connect
from chord.client.faults import ConnectionRefused, Forbidden, Invalid, RateLimited, Refused
from chord.client.replica import Ask, Replica
from chord.client.room import Change, Room
from chord.web.wire import Encoding

__all__ = [
    "Ask",
    "Backoff",
    "Change",
    "Client",
    "ConnectionRefused",
    "Encoding",
    "Forbidden",
    "Invalid",
    "RateLimited",
    "Refused",
    "Replica",
    "Room",
    "Seen",
    "Written",
    "connect",
]
