"""Say in words which mode to choose when, from the numbers of the runs that are shown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from benchmarks.comparison import Measured
from benchmarks.crash import Crash
from benchmarks.curve import Curve
from benchmarks.play import Play, Timing
from benchmarks.report.exhibit import write_amount
from benchmarks.report.looks import LOOKS, NAMES
from benchmarks.report.losses import find_mode, find_share, find_span
from benchmarks.report.sources import Source
from benchmarks.report.spread import Spread, rate
from benchmarks.report.words import (
    DEARER,
    FASTER,
    count_verdicts,
    group,
    join,
    rate_modes,
    say,
    say_ratios,
)
from benchmarks.timing import Samples
from examples.scenarios import Audit

SENT: Final = "sent"
"""The theme of `fanout` that counts bytes on the wire."""
_PROPORTION: Final = 1.15
"""The exponent up to which a cost is said to grow in proportion."""
_AS_MANY: Final = "as many operations a second as stateless"

_Call: TypeAlias = tuple[str, Spread, str]
"""What is called, how often as fast it is in the stateful runtime, and on which store."""


@attrs.frozen
class Advice:
    """What the runs say to a question: `answer` what to choose, and the sentences why."""

    question: str
    answer: str
    sentences: tuple[str, ...]


def advise(sources: Sequence[Source]) -> list[Advice]:
    """Advice on those questions that the runs have numbers for."""
    plays = [each for source in sources for each in source.results.plays]
    measured = [each for source in sources for each in source.results.measured]
    curves = [each for source in sources for each in source.results.curves if each.points]
    crashes = [each for source in sources for each in source.results.crashes]
    peers = [
        each
        for source in sources
        if source.results.benchmark == "peers"
        for each in source.results.measured
    ]
    advice = [
        _advise_on_plays("Contexts that live long and are written often", plays, "fair"),
        _advise_on_plays("Contexts that are set anew again and again", plays, "published"),
        _advise_on_calls(measured),
        _advise_on_latency(plays),
        _advise_on_kills(crashes),
        _advise_on_costs(measured),
        _advise_on_growth(curves),
        _advise_on_memory(curves),
        _advise_on_wire(curves),
        _advise_on_peers(peers),
    ]
    return [each for each in advice if each.sentences]


def choose(found: Sequence[Spread]) -> str:
    """Which runtime to choose by ratios of the stateful one to the stateless one.

    >>> from benchmarks.report.spread import spread
    >>> faster, slower, even = spread([2.0] * 3), spread([0.5] * 3), spread([1.0] * 3)
    >>> choose([faster, even]), choose([slower]), choose([faster, slower])
    ('Choose stateful', 'Choose stateless', 'It depends')
    >>> choose([even])
    'Neither is ahead'
    """
    verdicts = {each.verdict for each in found}
    if {"more", "less"} <= verdicts:
        return "It depends"
    if "more" in verdicts:
        return "Choose stateful"
    if "less" in verdicts:
        return "Choose stateless"
    return "Neither is ahead" if "noise" in verdicts else "There are too few runs to tell"


# -- throughput ----------------------------------------------------------------------------------


def _advise_on_plays(question: str, plays: Sequence[Play], timing: Timing) -> Advice:
    rated = list(rate_modes([each for each in plays if each.timing == timing]))
    sentences = [
        f"Scenario {scenario}, {NAMES[mode]}: {say_ratios(_place(some), _AS_MANY)}."
        for (scenario, mode), some in group(rated, _find_line).items()
    ]
    through = [found for play, found in rated if play.durability == "write-through"]
    verdict = f"{choose(through)}: against stateless, write-through does {count_verdicts(through)}"
    return Advice(question, f"{verdict} cases." if through else "", tuple(sentences))


def _find_line(rated: tuple[Play, Spread]) -> tuple[str, str]:
    return rated[0].scenario, str(rated[0].durability)


def _place(rated: Sequence[tuple[Play, Spread]]) -> list[tuple[Spread, str]]:
    return [(found, play.store) for play, found in rated]


# -- single calls --------------------------------------------------------------------------------


def _advise_on_calls(measured: Sequence[Measured]) -> Advice:
    calls = list(_find_calls(measured))
    sentences = [
        f"{name}: stateful is {say_ratios([each[1:] for each in some], 'as fast as stateless')}."
        for name, some in group(calls, lambda each: each[0]).items()
    ]
    answer = _sum_up_calls(calls) if calls else ""
    return Advice("Clients that come back, and single calls", answer, tuple(sentences))


def _sum_up_calls(calls: Sequence[_Call]) -> str:
    counted = count_verdicts([found for _, found, _ in calls], FASTER)
    name, best, store = max(calls, key=lambda each: each[1].median)
    gain = f"it gains most by {name}: {say_ratios([(best, store)], 'as fast')}"
    return f"Stateful is {counted} cases; {gain}."


def _find_calls(measured: Sequence[Measured]) -> Iterator[_Call]:
    for each in measured:
        for other in each.others:
            if (each.ours.name, other.name) == ("stateful", "stateless"):
                store, _, call = each.name.removeprefix("stateful, ").partition(", ")
                yield call, rate(each, other), store


# -- latency -------------------------------------------------------------------------------------


def _advise_on_latency(plays: Sequence[Play]) -> Advice:
    paced = [each for each in plays if each.timing == "open-loop" and each.latency.count]
    sentences = [
        f"Scenario {scenario} on {store}: {join([_say_latency(each) for each in some])}."
        for (scenario, store), some in group(paced, _find_stage).items()
    ]
    answer = (
        "99 of 100 operations are done within what is said below, all modes at the same rate; one "
        "histogram each, so small differences say nothing."
    )
    return Advice("Operations that come at a constant rate", answer, tuple(sentences))


def _find_stage(play: Play) -> tuple[str, str]:
    return play.scenario, play.store


def _say_latency(play: Play) -> str:
    return f"{play.durability or play.runtime} {write_amount(play.latency.p99, 'seconds')}"


# -- durability ----------------------------------------------------------------------------------


def _advise_on_kills(crashes: Sequence[Crash]) -> Advice:
    by_mode = group(crashes, find_mode)
    sentences = [f"{NAMES[mode]}: {_say_kill(some)}." for mode, some in by_mode.items()]
    safe = [NAMES[mode] for mode, some in by_mode.items() if not any(map(_has_lost, some))]
    named = f"Choose {' or '.join(safe)}" if safe else "No mode that was killed kept everything"
    answer = f"{named}." if not safe else f"{named}: nothing that was acknowledged was lost."
    return Advice("What must not be lost when a process is killed", answer, tuple(sentences))


def _has_lost(crash: Crash) -> bool:
    return crash.audit.lost > 0


def _say_kill(crashes: Sequence[Crash]) -> str:
    audit = sum((each.audit for each in crashes), Audit())
    kills = sum(len(each.kills) for each in crashes)
    killed = f"by {kills:,} kill{'' if kills == 1 else 's'}"
    told = f"{audit.lost:,} of {audit.acknowledged:,} acknowledged updates lost {killed}"
    if not audit.lost:
        return told
    worst = max(find_share(each.audit) for each in crashes)
    back = write_amount(max(map(find_span, crashes)), "seconds")
    broken = "" if all(each.holds for each in crashes) else "; its PROMISE IS BROKEN"
    return f"{told}, {worst:.0%} on the worst store, reaching back {back} at most{broken}"


def _advise_on_costs(measured: Sequence[Measured]) -> Advice:
    costs = [
        (each, other)
        for each in measured
        for other in each.others
        if each.ours.name == "write-through" and other.name in LOOKS
    ]
    sentences = [
        f"{name}: write-through costs {_say_costs(some, NAMES[other])}."
        for (name, other), some in group(costs, lambda each: (each[0].name, each[1].name)).items()
    ]
    behind = [rate(*each) for each in costs if each[1].name == "write-behind"]
    verdict = f"Against write-behind, write-through is {count_verdicts(behind, DEARER)} cases."
    return Advice("What being sure costs", verdict if behind else "", tuple(sentences))


def _say_costs(costs: Sequence[tuple[Measured, Samples]], other: str) -> str:
    return say_ratios([(rate(*each), each[0].theme) for each in costs], f"that of {other}")


# -- growth --------------------------------------------------------------------------------------


def _advise_on_growth(curves: Sequence[Curve]) -> Advice:
    timed = [each for each in curves if each.exponent is not None and each.unit == "seconds"]
    counted = Counter(map(classify, timed))
    said = join([f"{count} {words}" for words, count in counted.items()]) if counted else ""
    sentences = [
        f"{theme}, by {of}: {_say_growth(some)}."
        for (theme, of), some in group(timed, lambda each: (each.theme, each.of)).items()
    ]
    steep = [each for each in timed if (each.exponent or 0.0) > _PROPORTION]
    more = f" More than in proportion: {join([_name(each) for each in steep])}." if steep else ""
    answer = f"Of {len(timed)} costs, {said}.{more}"
    return Advice("What costs more when there is more", answer, tuple(sentences))


def _say_growth(curves: Sequence[Curve]) -> str:
    return "; ".join(
        f"{words}: {join([_name(each) for each in some])}"
        for words, some in group(curves, classify).items()
    )


def _name(curve: Curve) -> str:
    return f"“{curve.name}” ({write_exponent(curve.exponent or 0.0)})"


def write_exponent(exponent: float) -> str:
    """
    >>> write_exponent(0.918), write_exponent(-0.001)
    ('0.92', '0.00')
    """
    return f"{exponent:.2f}".replace("-0.00", "0.00")


def classify(curve: Curve) -> str:
    """What an exponent comes to, in words."""
    exponent = curve.exponent or 0.0
    if exponent < -0.15:
        return "become less"
    if exponent < 0.15:
        return "do not grow"
    if exponent < 0.85:
        return "grow less than in proportion"
    return "grow in proportion" if exponent <= _PROPORTION else "grow more than in proportion"


def _advise_on_memory(curves: Sequence[Curve]) -> Advice:
    held = [each for each in curves if each.of == "contexts" and each.unit == "bytes"]
    each_takes = [
        f"{curve.name}: {write_amount(most.median / most.x, 'bytes')} for each of {most.x:,}."
        for curve in held
        for most in curve.points[-1:]
    ]
    answer = "A context takes in memory, its state included, what is said below."
    return Advice("Many contexts in one process", answer, tuple(each_takes))


# -- the wire ------------------------------------------------------------------------------------


def _advise_on_wire(curves: Sequence[Curve]) -> Advice:
    sent = [each for each in curves if each.theme == SENT]
    by_workload = group(sent, lambda each: each.name.partition(": ")[0])
    sentences = [f"{workload}: {_say_sent(some)}." for workload, some in by_workload.items()]
    answer = (
        "Watch with a position: what is told is conflated, and a slow reader is sent less. Bytes "
        "for each version, where a client reads seldom:"
    )
    return Advice("Clients that read only now and then", answer, tuple(sentences))


def _say_sent(curves: Sequence[Curve]) -> str:
    merged, *others = curves
    least = max(merged.points[-1].median, 1e-9)
    told = [
        f"{_write_last(each)} {_shorten(each)} ({say(each.points[-1].median / least)} times)"
        for each in others
    ]
    return f"at every {merged.points[-1].x:,}th version {_write_last(merged)}; {join(told)}"


def _write_last(curve: Curve) -> str:
    return write_amount(curve.points[-1].median, "bytes")


def _shorten(curve: Curve) -> str:
    return curve.name.partition(": ")[2].partition(",")[0]


# -- peers ---------------------------------------------------------------------------------------


def _advise_on_peers(measured: Sequence[Measured]) -> Advice:
    pairs = [(other.name, rate(each, other)) for each in measured for other in each.others]
    sentences = [
        f"{peer}: Chord is {_say_range([each for _, each in some])} times as fast; "
        f"{count_verdicts([each for _, each in some], FASTER)}."
        for peer, some in group(pairs, _find_peer).items()
    ]
    answer = f"Chord is {count_verdicts([each for _, each in pairs], FASTER)} comparisons."
    return Advice("Chord beside others", answer, tuple(sentences))


def _find_peer(pair: tuple[str, Spread]) -> str:
    return pair[0]


def _say_range(found: Sequence[Spread]) -> str:
    medians = [each.median for each in found]
    return " to ".join(dict.fromkeys((say(min(medians)), say(max(medians)))))
