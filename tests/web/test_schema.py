"""Test the description of the messages: each is in it, and each reference leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chord.web.schema import make_document, make_schemas
from chord.web.wire import REPLIES, REQUESTS


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from references(inner)


@pytest.mark.parametrize("message", [*REQUESTS, *REPLIES], ids=lambda message: message.__name__)
def test_each_message_is_described(message: type) -> None:
    schema = make_schemas()[message.__name__]
    assert schema["description"] == message.__doc__
    assert "type" in schema["required"]


def test_a_request_takes_no_other_fields_but_a_reply_may() -> None:
    schemas = make_schemas()
    assert schemas["Set"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["Full"]


def test_fields_have_the_names_that_they_have_on_the_wire() -> None:
    assert {"type", "from", "position"} <= set(make_schemas()["DeltaMessage"]["properties"])


def test_each_reference_of_the_document_leads_somewhere() -> None:
    document = make_document()
    names = {f"#/$defs/{name}" for name in document["$defs"]}
    assert set(references(document)) <= names
    assert len(document["$defs"]["Request"]["oneOf"]) == len(REQUESTS)
    assert len(document["$defs"]["Reply"]["oneOf"]) == len(REPLIES)


def test_another_document_may_keep_the_schemas_elsewhere() -> None:
    schemas = make_schemas("#/components/schemas/{name}")
    assert all(found.startswith("#/components/schemas/") for found in references(schemas))
