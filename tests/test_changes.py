"""Test the words of the algebra: how they are made, matched, compared and copied."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from chord.changes import (
    LEAVES,
    OPERATORS,
    REMOVE,
    Added,
    Append,
    Increment,
    Modified,
    Remove,
    Removed,
    Replace,
    Spliced,
)

WORDS: list[tuple[Any, str, dict[str, Any]]] = [
    (Added(1), "Added(value=1)", {"value": 1}),
    (Modified(1, 2), "Modified(old_value=1, value=2)", {"old_value": 1, "value": 2}),
    (Removed(1), "Removed(old_value=1)", {"old_value": 1}),
    (
        Spliced(1, [2], [3]),
        "Spliced(start=1, removed=[2], inserted=[3])",
        {"start": 1, "removed": [2], "inserted": [3]},
    ),
    (Append([1]), "Append(items=[1])", {"items": [1]}),
    (Increment(2), "Increment(by=2)", {"by": 2}),
    (Replace({}), "Replace(value={})", {"value": {}}),
]
each_word = pytest.mark.parametrize(("word", "text", "fields"), WORDS)


@each_word
def test_it_shows_its_fields(word: Any, text: str, fields: dict[str, Any]) -> None:
    assert repr(word) == text
    assert {name: getattr(word, name) for name in fields} == fields


@each_word
def test_it_is_made_by_name_too(word: Any, text: str, fields: dict[str, Any]) -> None:
    assert type(word)(**fields) == word


@each_word
def test_it_cannot_be_changed(word: Any, text: str, fields: dict[str, Any]) -> None:
    for name in fields:
        with pytest.raises(AttributeError):
            setattr(word, name, None)


@each_word
def test_a_copy_is_equal(word: Any, text: str, fields: dict[str, Any]) -> None:
    assert copy.copy(word) == copy.deepcopy(word) == pickle.loads(pickle.dumps(word)) == word


def test_words_match_by_position() -> None:
    match [Added(1), Modified(2, 3), Removed(4), Spliced(5, [], []), Increment(6), Append([7])]:
        case [Added(a), Modified(b, c), Removed(d), Spliced(e, _, _), Increment(f), Append([g])]:
            assert [a, b, c, d, e, f, g] == [1, 2, 3, 4, 5, 6, 7]
        case other:
            pytest.fail(f"{other} does not match")


def test_words_of_other_kinds_differ() -> None:
    assert len({Added(1), Removed(1), Increment(1), Replace(1)}) == 4


def test_an_increment_is_by_one() -> None:
    assert Increment() == Increment(1)


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_there_is_one_remove(duplicate: Any) -> None:
    assert duplicate(REMOVE) is REMOVE
    assert repr(REMOVE) == "REMOVE"


def test_leaves_and_operators_are_all_there_is() -> None:
    assert {Added, Modified, Removed, Spliced} == LEAVES
    assert {Remove, Replace, Append, Increment} == OPERATORS
