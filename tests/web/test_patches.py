"""Test what patches ask of a context: by the examples that matter, and against other algorithms."""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chord.changes import REMOVE, Append, Replace
from chord.delta.difference import diff
from chord.delta.equality import equal
from chord.delta.writing import update
from chord.errors import InvalidState
from chord.formatters.json_patch import JsonPatchFormatter
from chord.records import Delta
from chord.state import take_in
from chord.testing.strategies import states
from chord.web.leaves import WireError
from chord.web.patches import COPIED, JsonPatch, PatchFailed, read_merge_patch, read_pointer


def patched(state: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    """The state that is there when a patch was put to a context of this state."""
    old = take_in(state)
    new, _ = update(old, JsonPatch(list(operations))(old))
    return new


def op(name: str, path: str, **fields: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **fields}


def move(source: str, path: str, name: str = "move") -> dict[str, Any]:
    return {"op": name, "from": source, "path": path}


# -- JSON Patch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "operation", "result"),
    [
        ({"a": 1}, op("add", "/b", value=[2]), {"a": 1, "b": [2]}),
        ({"a": 1}, op("add", "/a", value=2), {"a": 2}),
        ({"a": {"x": 1}}, op("add", "/a", value={}), {"a": {}}),
        ({"a": [1, 3]}, op("add", "/a/1", value=2), {"a": [1, 2, 3]}),
        ({"a": [1]}, op("add", "/a/1", value=2), {"a": [1, 2]}),
        ({"a": [1]}, op("add", "/a/-", value=[2]), {"a": [1, [2]]}),
        ({"a": 1}, op("add", "/", value=2), {"a": 1, "": 2}),
        ({"a": 1}, op("add", "", value={"b": 2}), {"b": 2}),
        ({"a": {"b": 1}}, op("remove", "/a/b"), {"a": {}}),
        ({"a": [1, 2, 3]}, op("remove", "/a/1"), {"a": [1, 3]}),
        ({"a": [{"b": 1}]}, op("replace", "/a/0/b", value=None), {"a": [{"b": None}]}),
        ({"a": [1, 2]}, op("replace", "/a/0", value=3), {"a": [3, 2]}),
        ({"a": 1}, op("replace", "", value={"b": 2}), {"b": 2}),
        ({"a/b": 1, "c~d": 2}, op("replace", "/a~1b", value=3), {"a/b": 3, "c~d": 2}),
        ({"a/b": 1, "c~d": 2}, op("remove", "/c~0d"), {"a/b": 1}),
        ({"~1": 1}, op("remove", "/~01"), {}),
        ({"a": {"b": 1}, "c": {}}, move("/a/b", "/c/d"), {"a": {}, "c": {"d": 1}}),
        ({"a": [1, 2, 3]}, move("/a/0", "/a/2"), {"a": [2, 3, 1]}),
        ({"a": 1}, move("/a", "/a"), {"a": 1}),
        ({"a": {"b": {"c": 1}}}, move("/a/b", ""), {"c": 1}),
        ({"a": [1]}, move("/a", "/b", "copy"), {"a": [1], "b": [1]}),
        ({"a": {"b": 1}}, move("", "/a/c", "copy"), {"a": {"b": 1, "c": {"a": {"b": 1}}}}),
        ({"__proto__": {"a": 1}}, op("remove", "/__proto__/a"), {"__proto__": {}}),
        ({"0": 1, "-": 2}, op("remove", "/-"), {"0": 1}),
        ({"a": 1}, op("test", "/a", value=1), {"a": 1}),
    ],
)
def test_an_operation_does_what_the_standard_says(
    state: dict[str, Any], operation: dict[str, Any], result: dict[str, Any]
) -> None:
    assert patched(state, operation) == result


def test_operations_are_carried_out_in_order() -> None:
    made = patched(
        {"a": []},
        op("add", "/a/-", value={"n": 1}),
        op("add", "/a/0/m", value=2),
        op("replace", "/a/0/n", value=3),
    )
    assert made == {"a": [{"m": 2, "n": 3}]}


def test_what_is_copied_is_a_value_of_its_own() -> None:
    made = patched(
        {"a": {"n": 1}},
        op("add", "/a/m", value=[]),
        move("/a", "/b", "copy"),
        op("add", "/b/m/-", value=1),
        op("remove", "/b/n"),
    )
    assert made == {"a": {"n": 1, "m": []}, "b": {"m": [1]}}


def test_neither_the_state_nor_the_patch_is_written() -> None:
    operations = [
        op("add", "/a", value={"list": [1]}),
        op("add", "/a/list/-", value=2),
        op("remove", "/b/c"),
    ]
    state: dict[str, Any] = {"b": {"c": 1}}
    patch = JsonPatch(operations)
    before = copy.deepcopy((state, operations))
    assert patch(state) == patch(state)
    assert (state, operations) == before


@pytest.mark.parametrize(
    ("state", "operation"),
    [
        ({"a": 1}, op("remove", "/b")),
        ({"a": 1}, op("replace", "/b", value=1)),
        ({"a": 1}, op("add", "/b/c", value=1)),
        ({"a": "text"}, op("add", "/a/0", value=1)),
        ({"a": None}, op("add", "/a/b", value=1)),
        ({"a": [1]}, op("add", "/a/2", value=1)),
        ({"a": [1]}, op("add", "/a/b", value=1)),
        ({"a": [1, 2]}, op("remove", "/a/01")),
        ({"a": [1, 2]}, op("remove", "/a/-1")),
        ({"a": [1, 2]}, op("remove", "/a/-")),
        ({"a": [1, 2]}, op("remove", "/a/" + "9" * 5000)),
        ({"a": [1, 2]}, op("remove", "/a/\u0661")),
        ({"a": 1}, move("/b", "/c")),
        ({"a": 1}, move("/b", "/c", "copy")),
        ({"a": 1}, op("test", "/b", value=None)),
        ({"a": 1}, op("test", "/a", value=2)),
    ],
)
def test_what_does_not_fit_the_state_fails(
    state: dict[str, Any], operation: dict[str, Any]
) -> None:
    with pytest.raises(PatchFailed) as failed:
        JsonPatch([op("test", "", value=state), operation])(state)
    assert failed.value.number == 1
    assert failed.value.applied is False


def test_what_fails_says_nothing_of_what_is_there() -> None:
    with pytest.raises(PatchFailed) as failed:
        JsonPatch([op("test", "/pin", value="0000")])({"pin": "1234"})
    assert str(failed.value) == "operation 0: another value at '/pin'"


# -- what a patch may copy -----------------------------------------------------------------------


def test_a_list_that_is_copied_into_itself_again_and_again_fails() -> None:
    doubled = [move("/l", "/l/-", "copy")] * 60
    with pytest.raises(PatchFailed, match="more to copy than a patch may at '/l/-'"):
        JsonPatch([op("add", "/l", value=[0]), *doubled])({})


@pytest.mark.parametrize("value", ["x" * 20_000, b"x" * 20_000, [0] * 2_000, {"k" * 20_000: 1}])
def test_what_is_large_is_not_copied_a_hundred_times(value: Any) -> None:
    with pytest.raises(PatchFailed, match="more to copy"):
        JsonPatch([move("/a", f"/b{n}", "copy") for n in range(100)])({"a": value})
    assert JsonPatch([move("/a", f"/b{n}", "copy") for n in range(10)])({"a": value})


def test_a_patch_may_copy_as_much_at_each_try() -> None:
    patch = JsonPatch([move("/a", "/b", "copy")])
    state = {"a": "x" * (COPIED - 100)}
    assert patch(state) == patch(state) == {"b": state["a"]}


def test_what_moves_made_too_deep_is_not_copied() -> None:
    deeper = [op("add", "/b", value={}), move("/a", "/b/a"), move("/b", "/a")]
    with pytest.raises(PatchFailed, match="nested too deep to copy"):
        JsonPatch([*deeper * 5_000, move("/a", "/c", "copy")])({"a": {}})


@pytest.mark.parametrize("wanted", ["", "eA==", None, 7])
def test_bytes_are_not_said_as_text_to_be_told_from_less(
    wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chord.web.patches.lower", lambda *_, **__: pytest.fail("said"))
    with pytest.raises(PatchFailed):
        JsonPatch([op("test", "/a", value=wanted)])({"a": b"x" * 10_000})


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (None, None, True),
        (None, 0, False),
        ("1", 1, False),
        (2**60, 2**60, True),
        ([1, {"a": 1}], [1.0, {"a": 1}], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({}, [], False),
        (Decimal("9.90"), "9.90", True),
        (Decimal("9.90"), 9.9, False),
        (date(2030, 1, 2), "2030-01-02", True),
        (b"hi", "aGk=", True),
    ],
)
def test_a_test_compares_as_json_does_and_rich_leaves_by_their_text(
    value: Any, wanted: Any, same: bool
) -> None:
    patch = JsonPatch([op("test", "/a", value=wanted)])
    if same:
        assert patch({"a": value}) == {}
    else:
        with pytest.raises(PatchFailed):
            patch({"a": value})


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        ({}, "array"),
        ([1], "object"),
        ([{"path": "/a"}], "op"),
        ([op("delete", "/a")], "op"),
        ([op("add", "/a")], "value"),
        ([op("move", "/a")], "from"),
        ([op("remove", 1)], "path"),  # type: ignore[arg-type]
        ([op("remove", "a")], "begins with a slash"),
        ([op("remove", "/~2")], "'~'"),
        ([op("remove", "/~")], "'~'"),
        ([move("b", "/a")], "begins with a slash"),
        ([op("remove", "")], "whole state"),
        ([move("/a", "/a/b")], "into itself"),
        ([move("", "/a")], "into itself"),
    ],
)
def test_what_is_no_patch_is_refused_before_any_state_is_seen(patch: Any, problem: str) -> None:
    with pytest.raises(WireError, match=problem):
        JsonPatch(patch)


@pytest.mark.parametrize("value", [1, [], None, "x"])
def test_a_patch_that_leaves_no_object_is_invalid(value: Any) -> None:
    with pytest.raises(InvalidState, match="a state is a dict"):
        JsonPatch([op("replace", "", value=value)])({})


def test_fields_that_no_operation_has_are_passed_over() -> None:
    assert JsonPatch([op("remove", "/a", value=1, why="old")])({"a": 1}) == {"a": REMOVE}


def test_a_list_that_only_grew_is_appended_to() -> None:
    assert JsonPatch([op("add", "/a/-", value=2)])({"a": [1]}) == {"a": Append([2])}


def test_a_list_that_was_edited_is_told_whole() -> None:
    assert JsonPatch([op("add", "/a/0", value=0)])({"a": [1]}) == {"a": [0, 1]}


def test_only_what_changed_is_asked_for() -> None:
    patch = JsonPatch([op("replace", "/b/c", value={"d": 1})])
    assert patch({"a": 1, "b": {"c": 2, "e": 3}}) == {"b": {"c": Replace({"d": 1})}}


@given(states(), states())
def test_a_delta_said_as_a_patch_leads_to_the_same_state(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    old, new = take_in(old), take_in(new)
    delta = Delta(
        context_id="c",
        changes=diff(old, new),
        from_version=1,
        version=2,
        epoch="e",
        updated_at=0.0,
    )
    made, changes = update(old, JsonPatch(JsonPatchFormatter().format(delta))(old))
    assert equal(made, new)
    assert equal(changes, delta.changes)


@pytest.mark.parametrize("pointer", ["a", "/~", "/~2", "/a~"])
def test_a_pointer_of_another_form_is_refused(pointer: str) -> None:
    with pytest.raises(ValueError, match="a path"):
        read_pointer(pointer)


# -- merge patch ---------------------------------------------------------------------------------


def merge_by_the_standard(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge_by_the_standard(target.get(name), value)
    return target


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["a", "b", "__proto__", ""]), inner, max_size=3)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=2) | objects(inner),
    max_leaves=8,
)


@given(objects(_json), objects(_json))
def test_a_merge_patch_does_what_the_standard_says(
    state: dict[str, Any], patch: dict[str, Any]
) -> None:
    made, _ = update(take_in(state), read_merge_patch(patch))
    assert equal(made, merge_by_the_standard(state, patch))


@pytest.mark.parametrize("patch", [None, 1, [], "x"])
def test_a_merge_patch_that_is_no_object_is_refused(patch: Any) -> None:
    with pytest.raises(WireError, match="object"):
        read_merge_patch(patch)


def test_a_null_inside_a_list_is_a_value() -> None:
    assert read_merge_patch({"a": [None]}) == {"a": [None]}
