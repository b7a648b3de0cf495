"""Describe the messages of the wire as JSON Schema, made from their types. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from chord.web.wire import REPLIES, REQUESTS

REFERENCES: Final = "#/$defs/{name}"
"""How one schema names another within a document, unless said otherwise."""


def make_schemas(references: str = REFERENCES) -> dict[str, Any]:
    """Return the schema of each message and of what is in them, by the name of its class.

    `references` says how one names another; OpenAPI keeps them at ``#/components/schemas/{name}``.
    """
    _, found = msgspec.json.schema_components([*REQUESTS, *REPLIES], ref_template=references)
    return found


def make_document() -> dict[str, Any]:
    """Return one document: what a client may say, or a server."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Chord v1",
        "oneOf": [{"$ref": "#/$defs/Request"}, {"$ref": "#/$defs/Reply"}],
        "$defs": {
            "Request": _one_of(REQUESTS, "What a client says."),
            "Reply": _one_of(REPLIES, "What a server says."),
            **make_schemas(),
        },
    }


def _one_of(messages: tuple[type, ...], description: str) -> dict[str, Any]:
    return {
        "description": description,
        "oneOf": [{"$ref": REFERENCES.format(name=message.__name__)} for message in messages],
    }
