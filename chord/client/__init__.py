"""A client of Chord over the network: it reads, writes and watches contexts over a WebSocket."""

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
