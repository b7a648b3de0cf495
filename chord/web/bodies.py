"""Hold the bodies of HTTP, and read those of requests: the media type first, then within limits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request

from chord.position import is_digits
from chord.web.faults import TooLarge
from chord.web.leaves import Types, WireError
from chord.web.limits import Limits
from chord.web.problems import WrongMediaType
from chord.web.wire import Encoding, read_plain

PLAIN: Final = "application/json"
RICH: Final = "application/vnd.chord+json"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
EVENTS: Final = "text/event-stream"
SCRIPT: Final = "text/javascript"

ENVELOPE: Final = 4
"""How deep a body is without a state: its `types` are pairs of a list and a tag."""

T = TypeVar("T")


class RichState(msgspec.Struct, forbid_unknown_fields=True):
    """A state, with the types of what is text in it and is none."""

    state: dict[str, Any]
    types: Types = []


class RichChanges(msgspec.Struct, forbid_unknown_fields=True):
    """A partial update, and the state to begin with where there is no context."""

    changes: dict[str, Any]
    types: Types = []
    create: dict[str, Any] | None = None
    create_types: Types = []


class RichArguments(msgspec.Struct, forbid_unknown_fields=True):
    """What a call is given."""

    arguments: list[Any]
    types: Types = []


class Called(msgspec.Struct, omit_defaults=True):
    """What a call returned."""

    value: Any
    types: Types = []


class Written(msgspec.Struct):
    """What a write came to."""

    position: str
    changed: bool


class Entry(msgspec.Struct):
    """A context in a list. Where something is hidden from who asks, so is when it happened."""

    context: str
    position: str | None
    updated_at: float | None


class Page(msgspec.Struct):
    """Contexts in order of their ids, and the id to go on after; null: there are no more."""

    contexts: list[Entry]
    after: str | None


def read_media_type(request: Request, header: str, taken: Collection[str]) -> str:
    """Return the body's media type, one of those `taken`; raise `WrongMediaType`.

    JSON is UTF-8; a body that says another charset is not taken.
    """
    said, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if said.strip() not in taken or charset not in ("", "charset=utf-8"):
        raise WrongMediaType(header, ", ".join(taken))
    return said.strip()


async def read_body(request: Request, limits: Limits) -> Any:
    """Return the body's JSON. Raises `TooLarge` as soon as that is known, and `WireError`."""
    size = request.headers.get("content-length", "")
    if is_digits(size):
        _check_size(int(size), limits)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        _check_size(len(data), limits)
    return read_plain(bytes(data), Encoding.JSON, max_depth=max(limits.max_depth + 1, ENVELOPE))


def convert(body: Any, form: type[T]) -> T:
    """Return the body as one of the records above; raise `WireError`."""
    try:
        return msgspec.convert(body, form)
    except msgspec.ValidationError as error:
        raise WireError(str(error)) from None


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.max_message:
        raise TooLarge(size, limits.max_message)


def wants_rich(request: Request) -> bool:
    """Whether the client names the media type that tells the types of leaves."""
    accepted = ",".join(request.headers.getlist("accept")).lower()
    return any(_is_accepted(part) for part in accepted.split(","))


def _is_accepted(part: str) -> bool:
    said, *parameters = part.replace(" ", "").split(";")
    return said == RICH and not any(_is_zero(parameter) for parameter in parameters)


def _is_zero(parameter: str) -> bool:
    return parameter.startswith("q=0") and not parameter.strip("q=0.")
