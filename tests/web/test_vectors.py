"""Test the vectors: that they are up to date, and that the Python client does as they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chord.client.replica import Ask, Replica
from chord.delta import apply, equal
from chord.state import take_in
from chord.web.leaves import lower, lower_changes, lower_partial, raise_changes, raise_value
from chord.web.wire import StateReply
from tests.web.make_vectors import FILES, VECTORS, render

Json = dict[str, Any]


def cases(name: str) -> list[Any]:
    read = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [
        pytest.param(case, id=f"{number}-{case['name']}")
        for number, case in enumerate(read["cases"])
    ]


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_up_to_date(name: str) -> None:
    made = render(FILES[name]())
    assert (VECTORS / name).read_text(encoding="utf-8") == made, "python -m tests.web.make_vectors"


def test_there_are_no_other_files() -> None:
    assert {file.name for file in Path(VECTORS).iterdir()} == set(FILES)


@pytest.mark.parametrize("case", cases("leaves.json"))
def test_a_leaf_is_read_and_said_again(case: Json) -> None:
    value = raise_value(case["value"], case["types"])
    assert said(*lower(value)) == said(case["value"], case["types"])


@pytest.mark.parametrize("case", cases("partials.json"))
def test_a_partial_state_is_read_and_said_again(case: Json) -> None:
    partial = raise_value(case["changes"], case["types"], operators=True)
    assert said(*lower_partial(partial)) == said(case["changes"], case["types"])


@pytest.mark.parametrize("case", cases("changes.json"))
def test_changes_lead_from_before_to_after(case: Json) -> None:
    before = take_in(raise_value(case["before"], case["before_types"]))
    after = raise_value(case["after"], case["after_types"])
    changes = raise_changes(case["changes"], case["types"], before)
    assert equal(apply(before, changes), after)
    assert said(*lower_changes(changes)) == said(case["changes"], case["types"])


@pytest.mark.parametrize("case", cases("replicas.json"))
def test_a_replica_does_as_the_vectors_say(case: Json) -> None:
    replica = Replica()
    asked: list[Ask] = []
    for step in case["steps"]:
        if "ask" in step:
            asked.append(replica.ask())
            assert asked[-1].since == step["ask"]["since"]
        else:
            then = step["then"]
            assert take(replica, step, asked) == then["taken"], step
            check(replica, then)


def take(replica: Replica, step: Json, asked: list[Ask]) -> str:
    answers = asked[step["answers"]] if "answers" in step else None
    if "forget" in step:
        return replica.forget(answers=answers)
    message = msgspec.convert(step["receive"], StateReply)
    return replica.receive(message, answers=answers)


def check(replica: Replica, then: Json) -> None:
    held = None if then["state"] is None else raise_value(then["state"], then["types"])
    assert equal(replica.state, held), then
    assert replica.position == then["position"]
    assert replica.needs_sync == then["needs_sync"]
    assert replica.deleted == then["deleted"]


def said(plain: Any, types: Any) -> Any:
    """As it comes out of JSON, whose reader has no tuples."""
    return json.loads(json.dumps([plain, types]))
