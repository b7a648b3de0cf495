"""Put numbers into words: lists, ratios, and how many of them say what. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from benchmarks.play import Play
from benchmarks.report.spread import Spread, Verdict, divide, spread

_Thing = TypeVar("_Thing")
_Key = TypeVar("_Key", bound=Hashable)

VERDICTS: Final[tuple[Verdict, ...]] = ("more", "less", "noise", "unknown")
_NOISE: Final = ("within the noise", "not to be told from so few samples")
_ASIDES: Final[dict[Verdict, str]] = {"noise": " (noise)", "unknown": " (too few samples)"}

MORE: Final = ("more", "less", *_NOISE)
FASTER: Final = ("faster", "slower", *_NOISE)
DEARER: Final = ("dearer", "cheaper", *_NOISE)
"""What the verdicts are called, in their order."""


def group(things: Iterable[_Thing], find: Callable[[_Thing], _Key]) -> dict[_Key, list[_Thing]]:
    """Things by what they have in common, in the order in which that is first met."""
    found: dict[_Key, list[_Thing]] = {}
    for thing in things:
        found.setdefault(find(thing), []).append(thing)
    return found


def join(parts: Sequence[str]) -> str:
    """
    >>> join(["a", "b", "c"]), join(["a"]), join([])
    ('a, b and c', 'a', '')
    """
    *before, last = parts or [""]
    return f"{', '.join(before)} and {last}" if before else last


def say(ratio: float) -> str:
    """Two digits or so, and all that stand before the point.

    >>> say(0.8651), say(0.9), say(1.0), say(15.24), say(0.00524)
    ('0.87', '0.90', '1.0', '15', '0.0052')
    """
    if ratio >= 10:
        return f"{ratio:,.0f}"
    if ratio >= 0.995:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def say_ratios(found: Sequence[tuple[Spread, str]], of: str) -> str:
    """Ratios at some places; each tells whether it is within the noise. `of` says to what they are.

    >>> say_ratios([(spread([2.0] * 3), "SQLite"), (spread([0.9, 1.0, 1.1]), "Redis")], "as fast")
    '2.0 times as fast on SQLite and 1.0 times on Redis (noise)'
    >>> say_ratios([(spread([2.0]), "SQLite")], "as fast")
    '2.0 times as fast on SQLite (too few samples)'
    """
    times = [f"times {of}", *["times"] * (len(found) - 1)]
    return join(
        [
            f"{say(each.median)} {words} on {where}{_ASIDES.get(each.verdict, '')}"
            for (each, where), words in zip(found, times, strict=True)
        ]
    )


def count_verdicts(found: Sequence[Spread], names: Sequence[str] = MORE) -> str:
    """How many say what.

    >>> count_verdicts([spread([2.0] * 3), spread([3.0] * 3), spread([0.5] * 3)])
    'more in 2, less in 1 of 3'
    """
    counted = Counter(each.verdict for each in found)
    named = zip(VERDICTS, names, strict=True)
    said = [f"{name} in {counted[each]}" for each, name in named if counted[each]]
    return f"{', '.join(said)} of {len(found)}"


def rate_modes(plays: Sequence[Play]) -> Iterator[tuple[Play, Spread]]:
    """How often as many operations a stateful mode does as the stateless one, run by run."""
    stateless = {(each.scenario, each.store): each for each in plays if not each.durability}
    for play in plays:
        base = stateless.get((play.scenario, play.store))
        if play.durability and base:
            yield play, spread(divide(base.seconds, play.seconds))
