"""Say an error as an answer of HTTP: problem details (RFC 9457), with the fields of the wire."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from chord.web.faults import Refusal, describe, status_of

PROBLEM: Final = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """What went wrong: `title` and `status` as of HTTP, the rest as in the message ``error``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    applied: bool | None
    retry_after: float | None = None
    actual: str | None = None
    address: str | None = None


class Misdirected(Exception):
    """A request that is about no context: to nowhere, or in a way that is not taken there."""


class NoSuchPath(Misdirected):
    """The door has nothing there."""


class NoSuchMethod(Misdirected):
    """What is there doesn't take this method; `allowed` are those that it does."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


class WrongMediaType(Misdirected):
    """A body of a type that is not taken; `header` says in the answer which are."""

    def __init__(self, header: str, taken: str) -> None:
        super().__init__(taken)
        self.header = header
        self.taken = taken


def answer(error: Exception) -> Response:
    """Return the response that tells of an error. What is ours to mend is logged."""
    match error:
        case ClientDisconnect():
            return Response(status_code=400)  # nobody is there to read it
        case NoSuchPath():
            refusal = Refusal(code="not-found", message="there is nothing at this path")
            return _make(404, refusal)
        case NoSuchMethod(allowed=allowed):
            refusal = Refusal(code="invalid", message=f"the methods of this path are {allowed}")
            return _make(405, refusal, Allow=allowed)
        case WrongMediaType(header=header, taken=taken):
            refusal = Refusal(code="invalid", message=f"the media types taken here are {taken}")
            return _make(415, refusal, **{header: taken})
        case _:
            return refuse(describe(error), status_of(error))


def refuse(refusal: Refusal, status: int) -> Response:
    """Return the response that tells a refusal."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(ceil(refusal.retry_after))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _make(status, refusal, **headers)


def _make(status: int, refusal: Refusal, **headers: Any) -> Response:
    body = msgspec.json.encode(make_problem(status, refusal))
    return Response(body, status, {"Cache-Control": "no-store", **headers}, PROBLEM)


def make_problem(status: int, refusal: Refusal) -> Problem:
    """Return the body.

    >>> make_problem(404, Refusal(code="not-found", message="no context 'a'")).title
    'Not Found'
    """
    return Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=refusal.message,
        code=refusal.code,
        applied=refusal.applied,
        retry_after=refusal.retry_after,
        actual=refusal.actual,
        address=refusal.address,
    )
