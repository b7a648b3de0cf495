"""Make the vectors: what servers say, and what a client in any language must make of it.

    python -m tests.web.make_vectors

writes `tests/web/vectors/*.json`; each file says in `about` how to read it. What a replica must
hold comes from the server's own algebra, and what it must answer is written down here by hand, so
that no client's code has a say in its own test.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from chord.changes import REMOVE, Append, Increment, Replace
from chord.delta import diff
from chord.state import take_in
from chord.web.leaves import lower_changes, lower_partial
from tests.web.replica_stories import tell_all
from tests.web.samples import LEAVES, NASTY_KEYS
from tests.web.stories import Json, say

VECTORS: Final = Path(__file__).parent / "vectors"

# -- leaves and changes --------------------------------------------------------------------------


def make_leaves() -> Json:
    cases = [{"name": name, **say(value)} for name, value in LEAVES.items()]
    return {
        "about": "Read `value` with `types`, and say it again: the same must come out.",
        "cases": cases,
    }


NOON_IN_UTC: Final = datetime(2030, 1, 2, 12, tzinfo=UTC)
AN_HOUR_ON: Final = timezone(timedelta(hours=1))

PAIRS: Final[list[tuple[str, Json, Json]]] = [
    ("nothing changed", {"a": 1}, {"a": 1}),
    ("from nothing", {}, {"a": 1, "b": {"c": []}}),
    ("to nothing", {"a": 1, "b": {"c": []}}, {}),
    ("a field deep down", {"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3, "d": 2}}}),
    ("a dict becomes a leaf", {"a": {"b": 1}}, {"a": 1}),
    ("a leaf becomes a dict", {"a": 1}, {"a": {"b": 1}}),
    ("a list becomes a dict", {"a": [1]}, {"a": {"0": 1}}),
    ("a list becomes a leaf", {"a": [1]}, {"a": None}),
    ("null comes", {}, {"a": None}),
    ("null goes", {"a": None}, {}),
    ("a list grows", {"a": [1, 2]}, {"a": [1, 2, 3, [4]]}),
    ("a list shrinks", {"a": [1, 2, 3]}, {"a": [1]}),
    ("a list is emptied", {"a": [1, 2, 3]}, {"a": []}),
    ("a list's first item changes", {"a": [1, 2, 3]}, {"a": [0, 2, 3]}),
    ("a list in a list", {"a": [[1], [2]]}, {"a": [[1], [2, 3]]}),
    ("true is not one", {"a": True, "b": 0}, {"a": 1, "b": False}),
    ("text is not a number", {"a": "1"}, {"a": 1}),
    ("a decimal's zeros count", {"a": Decimal("1.0")}, {"a": Decimal("1.00")}),
    ("one instant in two zones", {"a": NOON_IN_UTC}, {"a": NOON_IN_UTC.astimezone(AN_HOUR_ON)}),
    ("nothing becomes not a number", {"a": None, "b": 1.5}, {"a": float("nan"), "b": 1.5}),
    ("rich leaves in lists", {"a": [b"x"]}, {"a": [b"x", Decimal("0.1"), {"b": 2**80}]}),
]


def nasty_pairs() -> list[tuple[str, Json, Json]]:
    keys = dict.fromkeys(NASTY_KEYS, 1)
    return [
        ("every key comes", {}, {key: {key: [key]} for key in NASTY_KEYS}),
        ("every key goes", keys, {}),
        ("every key changes", keys, {key: {key: 1} for key in NASTY_KEYS}),
        ("every key's list grows", {k: [1] for k in keys}, {k: [1, {k: 2}] for k in keys}),
        ("every leaf comes", {}, dict(LEAVES)),
        ("every leaf goes", dict(LEAVES), {}),
        ("every leaf changes", dict.fromkeys(LEAVES, "was"), dict(LEAVES)),
    ]


def random_pairs(count: int) -> list[tuple[str, Json, Json]]:
    dice = random.Random(1)
    return [
        (f"by chance, {number}", random_state(dice), random_state(dice)) for number in range(count)
    ]


def random_state(dice: random.Random, depth: int = 3) -> Json:
    keys = [dice.choice([*"abc", *NASTY_KEYS]) for _ in range(dice.randrange(5))]
    return {key: random_value(dice, depth - 1) for key in keys}


def random_value(dice: random.Random, depth: int) -> Any:
    kind = dice.randrange(3) if depth > 0 else 0
    if kind == 1:
        return random_state(dice, depth)
    if kind == 2:
        return [random_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    return dice.choice([1, 2, "a", *LEAVES.values()])


def make_changes() -> Json:
    pairs = [*PAIRS, *nasty_pairs(), *random_pairs(40)]
    return {
        "about": "Apply `changes` with `types` to `before`: `after` must come out.",
        "cases": [change_case(*pair) for pair in pairs],
    }


def change_case(name: str, before: Json, after: Json) -> Json:
    old, new = take_in(before), take_in(after)
    changes, types = lower_changes(diff(old, new))
    return {
        "name": name,
        **say(old, "before", "before_types"),
        "changes": changes,
        "types": types,
        **say(new, "after", "after_types"),
    }


def make_replicas() -> Json:
    return {
        "about": (
            "Each case is a new replica. A step is `ask`: its question must have that `since`;"
            " `receive`: it takes a message; or `forget`: it is told that there is no such context."
            " `answers` is the number of the question, counted from 0 within the case, that this"
            " is the answer to. `then` is what taking it must return, and what it must hold."
        ),
        "cases": [{"name": story.name, "steps": story.steps} for story in tell_all()],
    }


# -- partial states, messages --------------------------------------------------------------------


def make_partials() -> Json:
    partials: dict[str, Any] = {
        "values": {"a": 1, "b": {"c": [b"x"]}},
        "remove": {"a": REMOVE, "b": {"c": REMOVE}},
        "replace by a dict": {"a": Replace({})},
        "replace by a rich leaf": {"a": Replace(Decimal("1.0"))},
        "replace by what has rich leaves": {"a": {"b": Replace({"c": [date(2030, 1, 2)]})}},
        "append": {"a": Append([1, Decimal("0.1"), {}])},
        "append nothing": {"a": Append([])},
        "increment": {"a": Increment()},
        "increment by a float": {"a": Increment(-0.5)},
        "increment by a decimal": {"a": Increment(Decimal("0.10"))},
        "increment by much": {"a": Increment(2**70)},
        "keys like tags": {"remove": REMOVE, "append": {"append": Append(["append"])}},
    }
    cases = []
    for name, partial in partials.items():
        changes, types = lower_partial(partial)
        cases.append({"name": name, "changes": changes, "types": types})
    return {"about": "What an `update` says, each as a client builds it.", "cases": cases}


FILES: Final = {
    "leaves.json": make_leaves,
    "partials.json": make_partials,
    "changes.json": make_changes,
    "replicas.json": make_replicas,
}


def render(content: Json) -> str:
    """Text that is the same wherever it is made, a line to each case."""
    cases = ",\n".join(msgspec.json.encode(case).decode() for case in content["cases"])
    about = msgspec.json.encode(content["about"]).decode()
    return f'{{"about": {about},\n"cases": [\n{cases}\n]}}\n'


def main() -> None:
    VECTORS.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (VECTORS / name).write_text(render(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
