"""Hold the stories of replicas: what they are told, and what they must make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

from chord.changes import REMOVE, Append, Increment, Replace
from tests.web.samples import LEAVES, NASTY_KEYS
from tests.web.stories import Json, Life, Story, begun, counter


def tell_all() -> list[Story]:
    """Every story, in the order of the file."""
    return [
        *tell_in_order(),
        *tell_of_leaves(),
        *tell_of_keys(),
        *tell_of_lists(),
        *tell_of_the_late(),
        *tell_of_gaps(),
        *tell_of_the_empty(),
        *tell_of_lives(),
    ]


def tell_in_order() -> list[Story]:
    story, life = begun("deltas in order", 1)
    for version in range(1, 5):
        story.hear(life.delta(version, version + 1), "applied", life.at(version + 1))
    jump, _ = begun("a delta over many versions", 1)
    jump.hear(life.delta(1, 9), "applied", life.at(9))
    same, _ = begun("nothing is lacking")
    same.hear(life.current(5), "current", life.at(5))
    again, _ = begun("the full state again")
    again.hear(life.full(5), "applied", life.at(5))
    newer, _ = begun("a newer full state")
    newer.hear(life.full(8, "compacted"), "applied", life.at(8))
    return [story, jump, same, again, newer]


def tell_of_leaves() -> list[Story]:
    stories = []
    for name, value in LEAVES.items():
        life = Life(
            "k", {"v": "was", "in": []}, {"v": Replace(value), "in": Append([value])}, {"v": REMOVE}
        )
        story = Story(f"a leaf: {name}", life).hear(life.full(1), "applied", life.at(1))
        story.hear(life.delta(1, 2), "applied", life.at(2)).hear(
            life.full(2), "applied", life.at(2)
        )
        stories.append(story.hear(life.delta(2, 3), "applied", life.at(3)))
    return stories


def tell_of_keys() -> list[Story]:
    stories = []
    for key in NASTY_KEYS:
        life = Life(
            "k",
            {key: {"n": 1}},
            {key: {key: {key: [key]}}},
            {key: {key: {key: Append([{key: 1}])}, "n": Increment(2)}},
            {key: {key: REMOVE}},
            {key: Replace({})},
            {key: REMOVE},
        )
        story = Story(f"a key: {key}", life).hear(life.full(1), "applied", life.at(1))
        for version in range(1, 6):
            story.hear(life.delta(version, version + 1), "applied", life.at(version + 1))
        stories.append(story)
    return stories


def tell_of_lists() -> list[Story]:
    life = Life(
        "k",
        {"log": []},
        {"log": Append([1, {"a": 1}])},
        {"log": Append([b"x", Decimal("0.10")])},
        {"log": [1, {"a": 1}, "cut"]},
        {"log": ["first", 1, {"a": 1}, "cut"]},
        {"log": []},
        {"log": [[[]]]},
        {"log": {}},
    )
    steps = Story("a list, step by step", life).hear(life.full(1), "applied", life.at(1))
    for version in range(1, 8):
        steps.hear(life.delta(version, version + 1), "applied", life.at(version + 1))
    whole = Story("a list, merged", life).hear(life.full(2), "applied", life.at(2))
    whole.hear(life.delta(2, 5), "applied", life.at(5)).hear(
        life.delta(5, 8), "applied", life.at(8)
    )
    return [steps, whole]


def tell_of_the_late() -> list[Story]:
    stories = []
    late: dict[str, Callable[[Life], Json]] = {
        "the same delta again": lambda life: life.delta(6, 7),
        "an older delta": lambda life: life.delta(5, 6),
        "an older full state": lambda life: life.full(5),
        "an older word that nothing is lacking": lambda life: life.current(6),
        "the end of an older version": lambda life: life.deleted(6),
    }
    for name, message in late.items():
        story, life = begun(f"late: {name}")
        story.hear(life.delta(5, 6), "applied", life.at(6))
        story.hear(life.delta(6, 7), "applied", life.at(7))
        story.hear(message(life), "stale", life.at(7))
        stories.append(story.hear(life.delta(7, 8), "applied", life.at(8)))
    return stories


def tell_of_gaps() -> list[Story]:
    stories = []
    missing: dict[str, Callable[[Life], Json]] = {
        "a later delta": lambda life: life.delta(6, 7),
        "a delta from before": lambda life: life.delta(4, 7),
        "word of a later version": lambda life: life.current(7),
        "the end of a later version": lambda life: life.deleted(7),
    }
    for name, message in missing.items():
        story, life = begun(f"a gap: {name}")
        story.hear(message(life), "gap", life.at(5), lacks=True)
        asked = story.ask(life.at(5))
        stories.append(story.hear(life.delta(5, 7), "applied", life.at(7), answers=asked))
    return [*stories, *tell_what_settles()]


def tell_what_settles() -> list[Story]:
    unasked, life = begun("a gap is settled by answers only")
    unasked.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    unasked.hear(life.delta(5, 6), "applied", life.at(6), lacks=True)
    unasked.hear(life.current(6), "current", life.at(6), lacks=True)
    unasked.hear(life.delta(6, 8), "applied", life.at(8), lacks=True)
    unasked.hear(life.current(8), "current", life.at(8), answers=unasked.ask(life.at(8)))

    early, _ = begun("an answer to an earlier question settles nothing")
    early.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    first = early.ask(life.at(5))
    early.hear(life.delta(8, 9), "gap", life.at(5), lacks=True)
    early.hear(life.delta(5, 7), "applied", life.at(7), lacks=True, answers=first)
    second = early.ask(life.at(7))
    early.hear(life.delta(7, 9), "applied", life.at(9), answers=second)

    overtaken, _ = begun("an answer that was overtaken")
    overtaken.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    asked = overtaken.ask(life.at(5))
    overtaken.hear(life.delta(5, 6), "applied", life.at(6), lacks=True)
    overtaken.hear(life.delta(5, 7), "gap", life.at(6), lacks=True, answers=asked)
    overtaken.hear(life.delta(6, 7), "applied", life.at(7), lacks=True)
    overtaken.hear(life.current(7), "current", life.at(7), answers=overtaken.ask(life.at(7)))

    passed, _ = begun("an answer that tells of a position that is passed")
    passed.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    asked = passed.ask(life.at(5))
    passed.hear(life.delta(5, 8), "applied", life.at(8), lacks=True)
    passed.hear(life.delta(8, 9), "applied", life.at(9), lacks=True)
    passed.hear(life.full(8, "smaller"), "stale", life.at(9), answers=asked)

    unsure, _ = begun("a full state that answers, but was overtaken, is taken and asked about")
    unsure.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    asked = unsure.ask(life.at(5))
    unsure.hear(life.delta(5, 8), "applied", life.at(8), lacks=True)
    unsure.hear(life.full(7, "smaller"), "applied", life.at(7), lacks=True, answers=asked)
    asked = unsure.ask(life.at(7))
    unsure.hear(life.delta(7, 8), "applied", life.at(8), answers=asked)

    sure, _ = begun("a full state that answers, and was not overtaken, is taken wherever it is")
    sure.hear(life.full(7), "applied", life.at(7)).hear(life.full(6), "applied", life.at(6))
    sure.hear(life.full(7, "smaller"), "applied", life.at(7), answers=sure.ask(life.at(6)))

    stubborn, _ = begun("when answers do not help, it asks for everything")
    stubborn.hear(life.delta(6, 7), "gap", life.at(5), lacks=True)
    for _ in range(3):
        asked = stubborn.ask(life.at(5))
        stubborn.hear(life.delta(3, 4), "gap", life.at(5), lacks=True, answers=asked)
    stubborn.hear(life.full(7), "applied", life.at(7), answers=stubborn.ask(None))

    backwards, _ = begun("asking for everything, it takes an older state, too")
    backwards.hear(life.delta(5, 6), "applied", life.at(6))
    for _ in range(3):
        asked = backwards.ask(life.at(6))
        backwards.hear(life.current(9), "gap", life.at(6), lacks=True, answers=asked)
    backwards.hear(life.full(5), "applied", life.at(5), answers=backwards.ask(None))
    return [unasked, early, overtaken, passed, unsure, sure, stubborn, backwards]


def tell_of_the_empty() -> list[Story]:
    life = counter()
    story = Story("a new replica takes only the full state", life)
    story.hear(life.delta(1, 2), "gap", None, lacks=True)
    story.hear(life.current(2), "gap", None, lacks=True)
    story.hear(life.full(2), "applied", life.at(2), answers=story.ask(None))
    first = Story("a new replica asks from nothing", life)
    first.hear(life.full(3), "applied", life.at(3), answers=first.ask(None))
    misfit, _ = begun("a delta that does not fit")
    wrong = {**life.delta(5, 6), "changes": {"m": ["m", 1]}}
    misfit.hear(wrong, "gap", None, lacks=True)
    misfit.hear(life.full(5), "applied", life.at(5), answers=misfit.ask(None))
    return [story, first, misfit, *tell_of_misfits(life)]


def tell_of_misfits(life: Life) -> list[Story]:
    stories = []
    misfits: list[Json] = [
        {"n": ["a", 6]},
        {"m": ["r"]},
        {"n": {"m": ["a", 1]}},
        {"n": ["s", 0, 0, []]},
        {"n": ["x", 1]},
        {"n": 6},
        {"n": []},
        {"n": ["m"]},
    ]
    for changes in misfits:
        story, _ = begun(f"a delta that does not fit: {json.dumps(changes)}")
        story.hear({**life.delta(5, 6), "changes": changes}, "gap", None, lacks=True)
        stories.append(story.hear(life.full(6), "applied", life.at(6), answers=story.ask(None)))
    listed = Life("k", {"log": [1, 2]}, {"log": Append([3])})
    for change in (["s", 2, 1, []], ["s", 3, 0, []], ["s", 1, 0, []], ["s", -1, 3, []]):
        story = Story(f"a splice that does not fit: {json.dumps(change)}", listed)
        story.hear(listed.full(1), "applied", listed.at(1))
        story.hear({**listed.delta(1, 2), "changes": {"log": change}}, "gap", None, lacks=True)
        stories.append(story)
    return stories


def tell_of_lives() -> list[Story]:
    other = counter("z")
    born, life = begun("another life", 5, other)
    born.hear(other.full(2, "epoch-changed"), "applied", other.at(2))
    born.hear(other.delta(2, 3), "applied", other.at(3))
    late, _ = begun("late words of the life before", 5, other)
    late.hear(other.full(5, "epoch-changed"), "applied", other.at(5))
    late.hear(life.full(5), "stale", other.at(5))
    late.hear(life.delta(5, 6), "gap", other.at(5), lacks=True)
    late.hear(other.current(5), "current", other.at(5), answers=late.ask(other.at(5)))
    foreign, _ = begun("a delta of another life", 5, other)
    foreign.hear(other.delta(5, 6), "gap", life.at(5), lacks=True)
    asked = foreign.ask(life.at(5))
    foreign.hear(other.full(6, "epoch-changed"), "applied", other.at(6), answers=asked)
    lost, _ = begun("the server has lost what was known")
    lost.hear(life.delta(5, 6), "applied", life.at(6))
    lost.hear(life.full(5, "ahead"), "applied", life.at(5))
    lost.hear(life.delta(5, 6), "applied", life.at(6))
    return [born, late, foreign, lost, *tell_of_ends(other)]


def tell_of_ends(other: Life) -> list[Story]:
    gone, life = begun("deleted")
    gone.hear(life.deleted(5), "deleted", None, deleted=True)
    back, _ = begun("deleted, and made again", 5, other)
    back.hear(life.deleted(5), "deleted", None, deleted=True)
    back.hear(other.full(1), "applied", other.at(1))
    back.hear(other.delta(1, 2), "applied", other.at(2))
    hint, _ = begun("made again, and not told from the beginning", 5, other)
    hint.hear(life.deleted(5), "deleted", None, deleted=True)
    hint.hear(other.delta(1, 2), "gap", None, lacks=True, deleted=True)
    hint.hear(other.full(2), "applied", other.at(2), answers=hint.ask(None))
    missed, _ = begun("deleted at a version that was not told")
    missed.hear(life.deleted(6), "gap", life.at(5), lacks=True)
    missed.miss("deleted", None, deleted=True, answers=missed.ask(life.at(5)))
    renewed, _ = begun("deleted and made again meanwhile", 5, other)
    renewed.hear(life.deleted(6), "gap", life.at(5), lacks=True)
    asked = renewed.ask(life.at(5))
    renewed.hear(other.full(1, "epoch-changed"), "applied", other.at(1), answers=asked)
    raced, _ = begun("that there is none was overtaken", 5, other)
    raced.hear(life.deleted(6), "gap", life.at(5), lacks=True)
    asked = raced.ask(life.at(5))
    raced.hear(other.full(1), "applied", other.at(1), lacks=True)
    raced.miss("gap", other.at(1), lacks=True, answers=asked)
    raced.hear(other.current(1), "current", other.at(1), answers=raced.ask(other.at(1)))
    never = Story("there never was one", life)
    never.miss("deleted", None, deleted=True, answers=never.ask(None))
    return [gone, back, hint, missed, renewed, raced, never]
