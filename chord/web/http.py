"""Answer plain HTTP: each request is one read or write of `Desk`, its errors problem details."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cache, partial
from importlib import resources
from typing import Any, Final, TypeAlias

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chord.clock import Clock
from chord.delta.difference import diff
from chord.errors import ContextNotFound, InvalidArgument, VersionConflict
from chord.position import is_digits
from chord.web.bodies import (
    EVENTS,
    JSON_PATCH,
    MERGE_PATCH,
    PLAIN,
    RICH,
    SCRIPT,
    Called,
    Entry,
    Page,
    RichArguments,
    RichChanges,
    RichState,
    Written,
    convert,
    read_body,
    read_media_type,
    wants_rich,
)
from chord.web.conditions import (
    RICH_MARK,
    Condition,
    is_known,
    quote_position,
    read_condition,
)
from chord.web.desk import Desk
from chord.web.events import EventStream
from chord.web.faults import CallFailed, status_of
from chord.web.gate import Action, Permit, Principal
from chord.web.leaves import Types, WireError, lower, raise_value
from chord.web.openapi import describe_door
from chord.web.patches import JsonPatch, ask_for, read_merge_patch
from chord.web.problems import Misdirected, refuse
from chord.web.quota import Quota
from chord.web.routing import AnyPath, Endpoint, PathRoute
from chord.web.schema import make_document
from chord.web.sharing import Frame
from chord.web.views import State
from chord.web.wire import Encoding
from chord.web.writing import Ask, Expected, Receipt

Handler: TypeAlias = Callable[[Request, Principal], Awaitable[ASGIApp]]

METHODS: Final = ("GET", "PUT", "PATCH", "DELETE", "POST")
TOLD: Final = (
    *("Authorization", "Content-Type", "Idempotency-Key"),
    *("If-Match", "If-None-Match", "Last-Event-ID"),
)
"""The headers that pages of other sites may send."""

PRIVATE: Final = {"Cache-Control": "private, no-cache"}

NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
OWN_SITE: Final = (b"cross-origin-resource-policy", b"same-origin")
"""Of every answer: it is what its type says, and nothing that other sites put into their pages."""


class Pages:
    """What stands at each path."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._quota = Quota(desk.limits, clock)

    def make_app(self) -> ASGIApp:
        """Return what answers every request of HTTP, to pages of welcome sites, too."""
        router = Router(routes=self.make_routes())
        origins = self._desk.gate.origins
        if origins is None:
            return _mark(router, NOSNIFF, OWN_SITE)
        return _mark(_let_read(router, origins), NOSNIFF)

    def make_routes(self) -> list[BaseRoute]:
        """Return a route for each path, and one for all others."""
        guarded: dict[str, dict[str, Handler]] = {
            "contexts": {"GET": self._list},
            "contexts/{id}": {
                "GET": self._read,
                "PUT": self._set,
                "PATCH": self._update,
                "DELETE": self._delete,
            },
            "contexts/{id}/events": {"GET": self._follow},
            "contexts/{id}/calls/{name}": {"POST": self._call},
        }
        public: dict[str, Endpoint] = {
            "openapi.json": partial(_describe, self._desk.gate.hooks.call is not None),
            "messages.json": _give_messages,
            "chord.mjs": _give_client,
        }
        routes: list[BaseRoute] = [
            *(PathRoute(path, self._guard_all(page)) for path, page in guarded.items()),
            *(PathRoute(path, {"GET": page}) for path, page in public.items()),
        ]
        return [*routes, AnyPath()]

    def _guard_all(self, page: Mapping[str, Handler]) -> dict[str, Endpoint]:
        return {method: partial(self._guard, handle) for method, handle in page.items()}

    async def _guard(self, handle: Handler, request: Request) -> ASGIApp:
        self._desk.crowd.check_open()
        principal = await self._desk.gate.admit(request)
        try:
            with self._quota.take(principal):
                return await handle(request, principal)
        except (Misdirected, ClientDisconnect):
            raise
        except Exception as error:
            return self._refuse(principal, error)

    def _refuse(self, principal: Principal, error: Exception) -> Response:
        return refuse(self._desk.refuse(error, principal), status_of(error))

    async def _permit(self, request: Request, principal: Principal, *actions: Action) -> Permit:
        return await self._desk.gate.permit(principal, request.path_params["id"], *actions)

    # -- reading ---------------------------------------------------------------------------------

    async def _list(self, request: Request, principal: Principal) -> Response:
        query = request.query_params
        limit = _read_limit(query.get("limit", "100"))
        prefix, after = query.get("prefix", ""), query.get("after") or None
        page = await self._desk.list(principal, prefix, after, limit)
        contexts = [Entry(each.context_id, each.position, each.updated_at) for each in page]
        last = page[-1].context_id if len(page) == limit else None
        return _give(Page(contexts, last))

    async def _read(self, request: Request, principal: Principal) -> Response:
        permit = await self._permit(request, principal, "read")
        since = request.query_params.get("since")
        if since is not None:
            frame = await self._desk.reading.sync(permit, since, Encoding.JSON)
            return _give_frame(request, frame, PLAIN)
        seen = await self._desk.reading.get(permit)
        media_type = RICH if wants_rich(request) else PLAIN
        frame = self._desk.sharing.share(
            (seen.context_id, seen.position, media_type),
            lambda: Frame("state", seen.position, self._say(seen.state, media_type)),
        )
        return _give_frame(request, frame, media_type)

    def _say(self, state: State, media_type: str) -> str:
        plain, types = lower(state, codec=self._desk.codec)
        said = RichState(plain, types) if media_type == RICH else plain
        return msgspec.json.encode(said).decode()

    async def _follow(self, request: Request, principal: Principal) -> ASGIApp:
        context_id = request.path_params["id"]
        if request.method == "HEAD":
            await self._desk.reading.get(await self._permit(request, principal, "read"))
            return Response(headers={"Cache-Control": "no-store"}, media_type=EVENTS)
        since = request.headers.get("last-event-id") or request.query_params.get("since")
        return EventStream(self._desk, self._clock, principal, context_id, since, self._refuse)

    # -- writing ---------------------------------------------------------------------------------

    async def _set(self, request: Request, principal: Principal) -> Response:
        condition = read_condition(request.headers)
        permit = await self._permit(request, principal, "write", "create")
        media_type = read_media_type(request, "Accept", (PLAIN, RICH))
        state = self._read_state(await read_body(request, self._desk.limits), media_type)
        options = _read_options(request, condition)
        if condition == "*":  # whatever it is now, but not missing
            return await self._transform(permit, partial(_lead_to, state), options, condition)
        return _give_receipt(await self._desk.writing.set(permit, state, **options))

    def _read_state(self, body: Any, media_type: str) -> dict[str, Any]:
        if media_type == RICH:
            rich = convert(body, RichState)
            state: dict[str, Any] = self._raise(rich.state, rich.types)
            return state
        if not isinstance(body, dict):
            raise WireError("a state is an object")
        return body

    async def _update(self, request: Request, principal: Principal) -> Response:
        condition = read_condition(request.headers)
        permit = await self._permit(request, principal, "write", "create")
        taken = (MERGE_PATCH, JSON_PATCH, RICH)
        media_type = read_media_type(request, "Accept-Patch", taken)
        if media_type == JSON_PATCH:  # its `test` reads
            await self._permit(request, principal, "read")
        body = await read_body(request, self._desk.limits)
        options = _read_options(request, condition)
        if media_type == JSON_PATCH:
            patch = JsonPatch(body, codec=self._desk.codec)
            return await self._transform(permit, patch, options, condition)
        update = self._read_update(body, media_type)
        try:
            return _give_receipt(await self._desk.writing.update(permit, **update, **options))
        except ContextNotFound:
            raise _say_missing(permit, condition) from None

    def _read_update(self, body: Any, media_type: str) -> dict[str, Any]:
        if media_type == MERGE_PATCH:
            return {"changes": read_merge_patch(body)}
        rich = convert(body, RichChanges)
        create = None if rich.create is None else self._raise(rich.create, rich.create_types)
        return {"changes": self._raise(rich.changes, rich.types, operators=True), "create": create}

    async def _transform(
        self, permit: Permit, ask: Ask, options: dict[str, Any], condition: Condition
    ) -> Response:
        try:
            return _give_receipt(await self._desk.writing.transform(permit, ask, **options))
        except ContextNotFound:
            raise _say_missing(permit, condition) from None

    async def _delete(self, request: Request, principal: Principal) -> Response:
        if "idempotency-key" in request.headers:
            raise WireError("a delete takes no Idempotency-Key: If-Match says what it is to end")
        condition = read_condition(request.headers)
        permit = await self._permit(request, principal, "delete")
        deleting = self._desk.writing.delete(permit, expected=_read_expected(condition))
        if not await deleting:
            raise _say_missing(permit, condition)
        return Response(status_code=204)

    async def _call(self, request: Request, principal: Principal) -> Response:
        if "idempotency-key" in request.headers:
            raise WireError("a call takes no Idempotency-Key: the command says what it repeats")
        permit = await self._permit(request, principal, "call")
        media_type = read_media_type(request, "Accept-Post", (PLAIN, RICH))
        arguments = self._read_arguments(await read_body(request, self._desk.limits), media_type)
        value = await self._desk.call(permit, request.path_params["name"], arguments)
        try:
            plain, types = lower(value, codec=self._desk.codec)
            return _give(Called(plain, types))
        except Exception as error:
            raise CallFailed("what the call returned has no form on the wire") from error

    def _read_arguments(self, body: Any, media_type: str) -> list[Any]:
        if media_type == RICH:
            rich = convert(body, RichArguments)
            arguments: list[Any] = self._raise(rich.arguments, rich.types)
            return arguments
        if not isinstance(body, list):
            raise WireError("the arguments of a call are an array")
        return body

    def _raise(self, plain: Any, types: Types, *, operators: bool = False) -> Any:
        return raise_value(plain, types, operators=operators, codec=self._desk.codec)


def _let_read(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Let pages of these sites read the answers; without cookies, if these are all there are."""
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_credentials="*" not in origins,
        allow_methods=METHODS,
        allow_headers=TOLD,
        expose_headers=("ETag", "Retry-After"),
    )


def _mark(app: ASGIApp, *headers: tuple[bytes, bytes]) -> ASGIApp:
    """Put these headers on each answer."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await app(scope, receive, tell)

    return marked


# -- what requests say ---------------------------------------------------------------------------


def _read_limit(text: str) -> int:
    if not is_digits(text) or int(text) < 1:
        raise InvalidArgument("limit", text, "a positive int")
    return int(text)


def _read_options(request: Request, condition: Condition) -> dict[str, Any]:
    key = request.headers.get("idempotency-key")
    quoted = key is not None and len(key) > 1 and key[0] == key[-1] == '"'
    op_id = key[1:-1] if key and quoted else key
    return {"expected": _read_expected(condition), "op_id": op_id}


def _read_expected(condition: Condition) -> Expected:
    return None if condition == "*" else condition


def _say_missing(permit: Permit, condition: Condition) -> ContextNotFound | VersionConflict:
    if condition is None:
        return ContextNotFound(permit.context_id)
    return VersionConflict(permit.context_id, None, None)


def _lead_to(state: State, seen: State) -> State:
    return ask_for(diff(seen, state), state)


# -- what is answered ----------------------------------------------------------------------------


def _give(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(msgspec.json.encode(value), status, PRIVATE | headers, PLAIN)


def _give_receipt(receipt: Receipt) -> Response:
    assert receipt.position is not None
    written = Written(receipt.position, receipt.changed)
    status = 201 if receipt.created else 200
    return _give(written, status, ETag=quote_position(receipt.position))


def _give_frame(request: Request, frame: Frame, media_type: str) -> Response:
    tag = frame.position + (RICH_MARK if media_type == RICH else "")
    headers = PRIVATE | {"ETag": quote_position(tag), "Vary": "Accept"}
    if is_known(request.headers, tag):
        return Response(status_code=304, headers=headers)
    return Response(frame.data, 200, headers, media_type)


# -- what is the same for all --------------------------------------------------------------------


async def _describe(has_calls: bool, request: Request) -> Response:
    return _give(describe_door(request.scope.get("root_path", ""), has_calls=has_calls))


async def _give_messages(request: Request) -> Response:
    return _give(make_document())


async def _give_client(request: Request) -> Response:
    """The ES module, to pages of any site: there is nothing private in it."""
    code, tag = _load_client()
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
    if is_known(request.headers, tag[1:-1]):
        return Response(status_code=304, headers=headers)
    return Response(code, 200, headers, SCRIPT)


@cache
def _load_client() -> tuple[bytes, str]:
    code = resources.files("chord.web").joinpath("static", "chord.mjs").read_bytes()
    return code, f'"{hashlib.sha256(code).hexdigest()[:32]}"'
