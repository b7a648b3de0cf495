"""Compare `diff` with C's ``==``, which stops at the first difference, and with its peers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import dictdiffer
import jsondiff
import jsonpatch
from deepdiff import DeepDiff

from benchmarks.comparison import Comparison
from benchmarks.micro.theme import Sizes
from benchmarks.room import build_room
from benchmarks.timing import Contender, Times
from chord.delta import diff
from chord.state import make_dict, take_in


@asynccontextmanager
async def open_theme(sizes: Sizes) -> AsyncIterator[Sequence[Comparison]]:
    room = take_in(build_room())
    flat = take_in({f"key_{number}": number for number in range(sizes.keys)})
    yield [
        _compare_with_equality("unchanged room: the very same object", room, room, aim=2),
        _compare_with_equality(
            "unchanged room: root copied, all below shared", room, make_dict(room), aim=2
        ),
        _compare_with_equality(
            f"unchanged flat {sizes.keys:,} keys: copied, values shared", flat, make_dict(flat)
        ),
        _compare_with_equality("unchanged room: built apart", room, take_in(build_room()), aim=7),
        _compare_with_peers("one field of the room changed, built apart", change_one_field, aim=12),
        _compare_with_peers("ten fields changed and a message added", change_some),
    ]


def change_one_field(room: dict[str, Any]) -> None:
    room["participants"]["user_25"]["typing"] = True


def change_some(room: dict[str, Any]) -> None:
    for number in range(1, 11):
        room["participants"][f"user_{number}"]["status"] = "away"
    room["chat_history"].append(dict(room["chat_history"][-1], message_id="message_new"))


def _compare_with_equality(name: str, old: Any, new: Any, aim: float | None = None) -> Comparison:
    def ours(times: Times) -> None:
        for _ in times:
            diff(old, new)

    def floor(times: Times) -> None:
        for _ in times:
            _ = old == new

    return Comparison(
        name=name,
        kind="floor",
        ours=Contender(name="diff", loop=ours),
        others=[Contender(name="==", loop=floor)],
        aim=aim,
    )


def _compare_with_peers(
    name: str, change: Callable[[dict[str, Any]], None], aim: float | None = None
) -> Comparison:
    old, new = build_room(), build_room()
    change(new)
    return Comparison(
        name=name,
        kind="peer",
        ours=_calling("diff", diff, take_in(old), take_in(new)),
        others=[
            _calling("jsonpatch", jsonpatch.make_patch, old, new),
            _calling("dictdiffer", lambda a, b: list(dictdiffer.diff(a, b)), old, new),
            _calling("jsondiff", jsondiff.diff, old, new),
            _calling("deepdiff", DeepDiff, old, new),
        ],
        aim=aim,
    )


def _calling(name: str, function: Callable[[Any, Any], object], old: Any, new: Any) -> Contender:
    def loop(times: Times) -> None:
        for _ in times:
            function(old, new)

    return Contender(name=name, loop=loop)
