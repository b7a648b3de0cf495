"""Describe the HTTP side of a door as an OpenAPI 3.1 document. Pure.

The schemas are made from the types of the messages and bodies; here is which stands where.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, get_args

import msgspec

from chord.web.bodies import (
    EVENTS,
    JSON_PATCH,
    MERGE_PATCH,
    PLAIN,
    RICH,
    SCRIPT,
    Called,
    Page,
    RichArguments,
    RichChanges,
    RichState,
    Written,
)
from chord.web.faults import STATUSES
from chord.web.patches import Operation
from chord.web.problems import PROBLEM, Problem
from chord.web.schema import make_schemas

Document: TypeAlias = dict[str, Any]

REFERENCES: Final = "#/components/schemas/{name}"
OPERATIONS: Final = get_args(Operation)
FORMS: Final = (
    *(RichState, RichChanges, RichArguments, Called, Written, Page, Problem),
    *OPERATIONS,
)

REASONS: Final = {
    400: "Malformed or invalid: `detail` says which, and where",
    401: "Not authenticated",
    403: "Not allowed",
    404: "There is no such context",
    405: "Not a method of this path; `Allow` says which are",
    409: "A `test` of the JSON Patch failed, or one of its paths leads nowhere",
    412: "The context is not where it was expected; `actual` is where it is seen, if it may be",
    413: "The body is too large",
    415: "Not a media type that is taken here; `Accept-Patch` or `Accept-Post` says which are",
    421: "Another process owns the context, at `address`",
    429: "A limit was reached; try again after `Retry-After` seconds",
    500: "A fault of the server",
    503: "Not now; try again after `Retry-After` seconds",
    504: "The time ran out",
}
"""What each status of an error says, for people."""


def describe_door(url: str, *, has_calls: bool) -> Document:
    """Return the document of a door that is mounted at `url`.

    Calls are in it only where there are calls.
    """
    paths: Document = {
        "/contexts": {"get": _LIST},
        "/contexts/{id}": {
            "parameters": [_ref("parameters", "id")],
            "get": _READ,
            "put": _SET,
            "patch": _PATCH,
            "delete": _DELETE,
        },
        "/contexts/{id}/events": {"parameters": [_ref("parameters", "id")], "get": _FOLLOW},
        "/openapi.json": {"get": _get_file("describe", "This document", PLAIN)},
        "/messages.json": {"get": _get_file("messages", "The JSON Schema of messages", PLAIN)},
        "/chord.mjs": {"get": _get_file("client", "The client, as an ES module", SCRIPT)},
    }
    if has_calls:
        paths["/contexts/{id}/calls/{name}"] = {
            "parameters": [_ref("parameters", "id"), _NAME],
            "post": _CALL,
        }
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": _INFO,
        "servers": [{"url": url or "/"}],
        "paths": paths,
        "components": {
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": {str(status): _problem(status) for status in REASONS},
            "schemas": make_schemas(REFERENCES) | _make_form_schemas(),
        },
    }


def _make_form_schemas() -> Document:
    _, found = msgspec.json.schema_components(FORMS, ref_template=REFERENCES)
    return found


# -- pieces --------------------------------------------------------------------------------------


def _ref(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}


def _schema(name: str) -> Document:
    return _ref("schemas", name)


def _content(**schemas: Document) -> Document:
    return {_MEDIA[name]: {"schema": schema} for name, schema in schemas.items()}


def _problems(*statuses: int) -> Document:
    return {str(status): _ref("responses", str(status)) for status in (*statuses, *_ANYWHERE)}


def _problem(status: int) -> Document:
    codes = [code for code, its in STATUSES.items() if its == status]
    said = f" ({', '.join(f'`{code}`' for code in codes)})" if codes else ""
    made = {
        "description": REASONS[status] + said,
        "content": {PROBLEM: {"schema": _schema("Problem")}},
    }
    if status in (429, 503):
        made["headers"] = {"Retry-After": _ref("headers", "Retry-After")}
    return made


def _answer(what: str, content: Document, *headers: str) -> Document:
    return {
        "description": what,
        "headers": {name: _ref("headers", name) for name in headers},
        "content": content,
    }


def _get_file(name: str, what: str, media_type: str) -> Document:
    schema: Document = {"type": "object"} if media_type == PLAIN else {"type": "string"}
    found = {"description": what, "content": {media_type: {"schema": schema}}}
    return {"operationId": name, "summary": what, "responses": {"200": found}}


def _parameter(where: str, name: str, what: str, schema: Document) -> Document:
    return {"name": name, "in": where, "description": what, "schema": schema}


def _takes(names: Iterable[str]) -> list[Document]:
    return [_ref("parameters", name) for name in names]


_MEDIA: Final = {
    "plain": PLAIN,
    "rich": RICH,
    "merge_patch": MERGE_PATCH,
    "json_patch": JSON_PATCH,
    "events": EVENTS,
}
_ANYWHERE: Final = (400, 401, 403, 421, 429, 500, 503, 504)
_TEXT: Final = {"type": "string"}
_POSITION: Final = {"type": "string", "description": "Opaque: keep it, send it back"}
_STATE: Final = {"type": "object", "description": "The state, rich leaves in their text"}

_INFO: Final = {
    "title": "Chord",
    "version": "1",
    "description": (
        "Contexts of state, each change numbered, and what a client lacks of them. The same"
        " replies are pushed over a WebSocket at `/ws`, by the subprotocols `chord.v1.json` and"
        " `chord.v1.msgpack`."
    ),
}

_PARAMETERS: Final = {
    "id": {
        **_parameter("path", "id", "The context's id, percent-encoded, slashes too", _TEXT),
        "required": True,
    },
    "since": _parameter("query", "since", "Answer by what has changed since", _POSITION),
    "If-Match": _parameter(
        "header", "If-Match", "Only where it is at this position, in quotes, or `*`", _TEXT
    ),
    "If-None-Match": _parameter(
        "header", "If-None-Match", "Reading: only if it is elsewhere. Writing, `*`: create", _TEXT
    ),
    "Idempotency-Key": _parameter(
        "header", "Idempotency-Key", "Names the write: sent again, it is not done again", _TEXT
    ),
    "Last-Event-ID": _parameter(
        "header", "Last-Event-ID", "The position that the client has", _POSITION
    ),
}
_NAME: Final = {**_parameter("path", "name", "The command's name", _TEXT), "required": True}

_HEADERS: Final = {
    "ETag": {
        "description": "The position, in quotes; for the rich type with `;rich` behind it",
        "schema": _TEXT,
    },
    "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}},
}

_WRITTEN: Final = _content(plain=_schema("Written"))
_OPERATIONS: Final = [_schema(operation.__name__) for operation in OPERATIONS]
_REPLY: Final = {"oneOf": [_schema(name) for name in ("Full", "DeltaMessage", "Current")]}

_LIST: Final = {
    "operationId": "list",
    "summary": "A page of contexts that may be read, in order of their ids",
    "parameters": [
        _parameter("query", "prefix", "Only ids that begin so", _TEXT),
        _parameter("query", "after", "Only ids greater than this", _TEXT),
        _parameter(
            "query", "limit", "At most so many", {"type": "integer", "minimum": 1, "default": 100}
        ),
    ],
    "responses": {"200": _answer("A page", _content(plain=_schema("Page"))), **_problems()},
}
_READ: Final = {
    "operationId": "read",
    "summary": "The state, or with `since` what a client lacks that is there",
    "parameters": _takes(["since", "If-None-Match"]),
    "responses": {
        "200": _answer(
            "The state; with `since` a message, in either media type",
            _content(plain={"anyOf": [_STATE, _REPLY]}, rich=_schema("RichState")),
            "ETag",
        ),
        "304": {"description": "It is where the client knows it"},
        **_problems(404),
    },
}
_SET: Final = {
    "operationId": "set",
    "summary": "Create the context, or replace its whole state",
    "parameters": _takes(["If-Match", "If-None-Match", "Idempotency-Key"]),
    "requestBody": {
        "required": True,
        "content": _content(plain=_STATE, rich=_schema("RichState")),
    },
    "responses": {
        "200": _answer("It was there already", _WRITTEN, "ETag"),
        "201": _answer("It was created", _WRITTEN, "ETag"),
        **_problems(412, 413, 415),
    },
}
_PATCH: Final = {
    "operationId": "update",
    "summary": "Change the state in part",
    "description": "A JSON Patch is only for who may read, too: its `test` compares",
    "parameters": _takes(["If-Match", "Idempotency-Key"]),
    "requestBody": {
        "required": True,
        "content": _content(
            merge_patch={"type": "object"},
            json_patch={"type": "array", "items": {"anyOf": _OPERATIONS}},
            rich=_schema("RichChanges"),
        ),
    },
    "responses": {
        "200": _answer("It is so now", _WRITTEN, "ETag"),
        "201": _answer("It was created, from `create`", _WRITTEN, "ETag"),
        **_problems(404, 409, 412, 413, 415),
    },
}
_DELETE: Final = {
    "operationId": "delete",
    "summary": "End this life of the context; `Idempotency-Key` is not taken",
    "parameters": _takes(["If-Match"]),
    "responses": {"204": {"description": "It is gone"}, **_problems(404, 412)},
}
_FOLLOW: Final = {
    "operationId": "follow",
    "summary": "What a client lacks, then each change as it comes, as Server-Sent Events",
    "description": "An event's name is its message's `type`, `data` the message, `id` the position",
    "parameters": _takes(["since", "Last-Event-ID"]),
    "responses": {
        "200": _answer("Events, until the context is deleted", _content(events=_TEXT)),
        **_problems(404),
    },
}
_CALL: Final = {
    "operationId": "call",
    "summary": "Call a command of the application's",
    "requestBody": {
        "required": True,
        "content": _content(plain={"type": "array"}, rich=_schema("RichArguments")),
    },
    "responses": {
        "200": _answer("What it returned", _content(plain=_schema("Called"))),
        **_problems(404, 413, 415),
    },
}
