"""Test that the description of a door is whole, and is of the door that there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from chord import ManualClock, StatelessChord
from chord.web.desk import Desk
from chord.web.faults import STATUSES
from chord.web.gate import Gate, Hooks
from chord.web.http import Pages
from chord.web.limits import Limits
from chord.web.openapi import FORMS, describe_door
from chord.web.routing import PathRoute
from chord.web.schema import make_schemas

pytestmark = pytest.mark.anyio

DOOR = describe_door("/chord", has_calls=True)


def find(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step]
    return document


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
        yield from node.get("mapping", {}).values() if "propertyName" in node else ()
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, page in DOOR["paths"].items():
        for method, operation in page.items():
            if method != "parameters":
                yield path, method, operation


def test_each_reference_leads_somewhere() -> None:
    found = set(references(DOOR))
    assert found
    for reference in found:
        assert find(DOOR, reference)


def test_it_can_be_said_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(DOOR)) == DOOR


async def test_it_describes_each_route_and_no_other() -> None:
    async with StatelessChord.open("memory://") as chord:
        gate = Gate(Hooks(call=lambda *said: None))
        routes = Pages(Desk(chord, gate, Limits()), ManualClock()).make_routes()
    served = {
        (f"/{route.path}", method.lower())
        for route in routes
        if isinstance(route, PathRoute)
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations()} == served


def test_calls_are_described_where_there_are_calls() -> None:
    path = "/contexts/{id}/calls/{name}"
    assert path in DOOR["paths"]
    assert path not in describe_door("/chord", has_calls=False)["paths"]


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_each_parameter_of_a_path_is_described() -> None:
    for path, page in DOOR["paths"].items():
        named = [find(DOOR, each["$ref"]) for each in page.get("parameters", ()) if "$ref" in each]
        named += [each for each in page.get("parameters", ()) if "name" in each]
        assert {each["name"] for each in named} == {
            part[1:-1] for part in path.split("/") if part.startswith("{")
        }


def test_each_code_stands_with_its_status() -> None:
    responses = DOOR["components"]["responses"]
    for code, status in STATUSES.items():
        assert f"`{code}`" in responses[str(status)]["description"]


@pytest.mark.parametrize(("url", "server"), [("", "/"), ("/chord", "/chord")])
def test_it_says_where_the_door_is(url: str, server: str) -> None:
    assert describe_door(url, has_calls=False)["servers"] == [{"url": server}]


def test_messages_and_bodies_have_names_of_their_own() -> None:
    bodies = {form.__name__ for form in FORMS}
    messages = set(make_schemas())
    assert not bodies & messages
    assert bodies | messages <= DOOR["components"]["schemas"].keys()
