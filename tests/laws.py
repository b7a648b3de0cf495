"""Hold what tests of laws share: the number of examples, walks of states, fresh copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from chord.changes import Changes
from chord.codec import MsgspecCodec
from chord.delta import update
from chord.state import StateDict, StateList, adopt, take_in
from chord.testing.strategies import patches, states

thorough = settings(max_examples=3 * settings().max_examples)
"""For laws: three times the examples of the profile."""

CODEC = MsgspecCodec()

State = Mapping[str, Any]


def fresh(state: State) -> StateDict:
    """The same state in objects that are shared with nothing: read from its stored bytes.

    Of a container of ours it shows, too, whether it knows what is rich below it.
    """
    ours = state if isinstance(state, StateDict) else adopt(dict(state))
    return CODEC.decode_state(CODEC.encode_state(ours))


def pack(changes: Changes) -> bytes:
    """A delta's stored bytes: they tell whether it was changed."""
    return CODEC.encode_changes(changes)


@st.composite
def walks(draw: st.DrawFn, length: int) -> list[StateDict]:
    """So many states, most of them made from the one before by a write, sharing what stayed."""
    walk = [take_in(draw(states()))]
    while len(walk) < length:
        if draw(st.integers(0, 4)):
            walk.append(update(walk[-1], draw(patches(walk[-1])))[0])
        else:
            walk.append(take_in(draw(states())))
    return walk


def containers(value: Any) -> list[Any]:
    """All containers in a value, itself included."""
    if not isinstance(value, (dict, list)):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(found for each in inner for found in containers(each))]


def are_ours(value: Any) -> bool:
    """Whether all containers of a value refuse to be written by callers."""
    return all(type(each) in (StateDict, StateList) for each in containers(value))
