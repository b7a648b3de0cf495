"""Test `merge`: what deltas that follow each other say together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from chord.changes import Added, Changes, Modified, Removed, Spliced
from chord.delta import apply, diff, equal, invert, merge
from chord.errors import DeltaMismatch
from chord.state import StateDict, Tree
from tests.laws import pack, thorough, walks


@pytest.mark.parametrize(
    ("earlier", "later", "both"),
    [
        (Added(1), Removed(1), None),
        (Added(1), Modified(1, 2), Added(2)),
        (Added({}), {"b": Added(1)}, Added({"b": 1})),
        (Added({"b": 1}), {"b": Removed(1)}, Added({})),
        (Added([1]), Spliced(1, [], [2]), Added([1, 2])),
        (Removed(1), Added(1), None),
        (Removed(1), Added(1.0), Modified(1, 1.0)),
        (Removed({"b": 1}), Added({"b": 2}), {"b": Modified(1, 2)}),
        (Removed([1, 2]), Added([1, 3]), Spliced(1, [2], [3])),
        (Modified(1, 2), Modified(2, 1), None),
        (Modified(1, 2), Removed(2), Removed(1)),
        (Modified(1, {}), {"b": Added(1)}, Modified(1, {"b": 1})),
        (Modified({"b": 1}, 2), Modified(2, {"b": 1, "c": 1}), {"c": Added(1)}),
        (Modified([1], 2), Modified(2, [1, 2]), Spliced(1, [], [2])),
        (Modified(1, [1]), Spliced(0, [1], []), Modified(1, [])),
        ({"b": Added(1)}, Removed({"b": 1}), Removed({})),
        ({"b": Added(1)}, {"b": Removed(1)}, None),
        ({"b": {"c": Added(1)}}, {"b": {"c": Removed(1)}}, None),
        ({"b": Added(1)}, {"c": Added(2)}, {"b": Added(1), "c": Added(2)}),
        ({"b": Added(1)}, Modified({"b": 1}, 2), Modified({}, 2)),
        (Spliced(1, [], [2]), Spliced(2, [], [3]), Spliced(1, [], [2, 3])),
        (Spliced(1, [], [2]), Spliced(1, [2], []), None),
        (Spliced(2, [3], []), Spliced(0, [1, 2], [4]), Spliced(0, [1, 2, 3], [4])),
        (Spliced(0, [1, 2], [3, 2]), Spliced(0, [3, 2], [1]), Spliced(1, [2], [])),
        (Spliced(1, [2], [3]), Removed([1, 3]), Removed([1, 2])),
        (Spliced(1, [2], [3]), Modified([1, 3], 4), Modified([1, 2], 4)),
    ],
)
def test_two_leaves_compose(earlier: object, later: object, both: object) -> None:
    wanted = {} if both is None else {"a": both}
    assert equal(merge([{"a": earlier}, {"a": later}]), wanted)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (Added(1), Added(1)),
        (Modified(1, 2), Added(2)),
        ({"b": Added(1)}, Added({})),
        (Removed(1), Removed(1)),
        (Removed(1), Modified(1, 2)),
        (Removed([1]), Spliced(0, [1], [])),
        (Removed({}), {"b": Added(1)}),
        (Added(1), {"b": Added(1)}),
        (Added(1), Spliced(0, [], [1])),
        (Modified(1, 2), Spliced(0, [], [1])),
        (Spliced(0, [], [1]), {"b": Added(1)}),
        ({"b": Added(1)}, Spliced(0, [], [1])),
        ({"b": Added(1)}, {"b": Added(1)}),
        (Spliced(0, [], [1]), Spliced(2, [], [1])),
        (Spliced(3, [], [1]), Spliced(2, [], [1])),
        (Spliced(1, [], [2]), Spliced(0, [1], [])),
        (Spliced(1, [], [2]), Removed([])),
    ],
)
def test_what_does_not_continue_is_refused_with_its_path(earlier: object, later: object) -> None:
    with pytest.raises(DeltaMismatch) as caught:
        merge([{"a": {"k": earlier}}, {"a": {"k": later}}])
    assert caught.value.path[:2] == ("a", "k")


@thorough
@given(walks(3))
def test_two_deltas_are_merged_to_the_one_between_their_ends(walk: list[StateDict]) -> None:
    a, b, c = walk
    assert equal(merge([diff(a, b), diff(b, c)]), diff(a, c))


@thorough
@given(walks(4))
def test_it_is_associative(walk: list[StateDict]) -> None:
    one, two, three = deltas_of(walk)
    whole = merge([one, two, three])
    assert equal(merge([merge([one, two]), three]), whole)
    assert equal(merge([one, merge([two, three])]), whole)


@thorough
@given(walks(6))
def test_many_are_merged_to_the_one_between_their_ends(walk: list[StateDict]) -> None:
    merged = merge(deltas_of(walk))
    assert equal(merged, diff(walk[0], walk[-1]))
    assert equal(apply(walk[0], merged), walk[-1])


@thorough
@given(walks(2))
def test_a_delta_and_its_inverse_are_nothing(walk: list[StateDict]) -> None:
    changes = diff(*walk)
    assert merge([changes, invert(changes)]) == {}


@given(walks(2))
def test_one_delta_is_merged_to_itself(walk: list[StateDict]) -> None:
    changes = diff(*walk)
    assert equal(merge([changes]), changes)
    assert equal(merge([{}, changes, {}]), changes)


def test_no_deltas_are_merged_to_nothing() -> None:
    assert merge([]) == {}


@thorough
@given(walks(5))
def test_the_parts_are_not_written(walk: list[StateDict]) -> None:
    parts = deltas_of(walk)
    before = list(map(pack, parts))
    merge(parts)
    merge([merge(parts[:2]), *parts[2:]])
    assert list(map(pack, parts)) == before


def test_what_comes_out_is_read_only() -> None:
    merged = merge([{"a": {"b": Added(1)}}, {"a": {"c": Added(1)}}])
    assert type(merged) is Tree
    assert type(merged["a"]) is Tree


def deltas_of(walk: list[StateDict]) -> list[Changes]:
    return [diff(old, new) for old, new in itertools.pairwise(walk)]
