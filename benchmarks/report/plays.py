"""Show how scenarios were played: throughput, the modes against each other, and latencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes

from benchmarks.play import Play, Timing
from benchmarks.report.canvas import count_up, draw, measure, name_ticks, stretch
from benchmarks.report.exhibit import Exhibit, Picture, Table, write_amount, write_count
from benchmarks.report.looks import INK, LOOKS, NAMES, Look
from benchmarks.report.percentiles import follow
from benchmarks.report.sources import Source
from benchmarks.report.spread import Spread, spread
from benchmarks.report.words import rate_modes

_BAR: Final = 0.2
_FEW: Final = 12
"""Runs that are drawn each; of more only the middle half is."""

_TIMINGS: Final[dict[Timing, str]] = {
    "fair": "only the actions are timed",
    "published": "contexts are set within the time",
}


def show_plays(source: Source) -> Iterator[Exhibit]:
    for timing in _TIMINGS:
        plays = [each for each in source.results.plays if each.timing == timing]
        if plays:
            yield _show_throughput(source, timing, plays)
            yield from _show_ratios(source, timing, plays)
    paced = [each for each in source.results.plays if each.timing == "open-loop"]
    if paced:
        yield _show_latencies(source, paced)


def find_mode(play: Play) -> str:
    return play.durability or play.runtime


def find_scenarios(plays: Sequence[Play]) -> list[str]:
    return list(dict.fromkeys(each.scenario for each in plays))


def find_stores(plays: Sequence[Play]) -> list[str]:
    return list(dict.fromkeys(each.store for each in plays))


# -- throughput ----------------------------------------------------------------------------------


def _show_throughput(source: Source, timing: Timing, plays: Sequence[Play]) -> Exhibit:
    pictures = [
        draw(
            f"{source.name}-throughput-{timing}-{scenario}",
            f"{scenario}: operations per second, {_TIMINGS[timing]}",
            lambda axes, scenario=scenario: _paint_throughput(axes, plays, scenario),  # type: ignore[misc]
            height=3.1,
            columns=2,
        )
        for scenario in find_scenarios(plays)
    ]
    return Exhibit(
        title=f"Throughput, {timing}: {_TIMINGS[timing]}",
        caption="Operations per second, from 0: a bar is the median run, the line on it the middle "
        f"half of the runs, a dot a run where there are at most {_FEW}.",
        pictures=tuple(pictures),
        table=Table(
            (*_PLAYED, "per second (middle half)", "runs", "acknowledged", "lost", "copies equal"),
            tuple(_list_throughput(each) for each in plays),
        ),
    )


_PLAYED: Final = ("scenario", "store", "mode")


def _list_played(play: Play) -> tuple[str, str, str]:
    return play.scenario, play.store, find_mode(play)


def _list_throughput(play: Play) -> tuple[str, ...]:
    found = spread(find_throughputs(play))
    return (
        *_list_played(play),
        found.write(write_count),
        str(found.count),
        f"{play.audit.acknowledged:,}",
        f"{play.audit.lost:,}",
        f"{play.audit.equal:,} of {play.audit.copies:,}",
    )


def find_throughputs(play: Play) -> list[float]:
    """Operations per second in each run."""
    return [play.operations / seconds for seconds in play.seconds]


def _paint_throughput(axes: Axes, plays: Sequence[Play], scenario: str) -> None:
    stores = find_stores(plays)
    for number, mode in enumerate(LOOKS):
        some = [each for each in plays if (each.scenario, find_mode(each)) == (scenario, mode)]
        _paint_bars(axes, some, stores, number)
    name_ticks(axes, "x", stores)
    axes.set_ylabel("operations per second")
    count_up(axes, "count")


def _paint_bars(axes: Axes, plays: Sequence[Play], stores: Sequence[str], number: int) -> None:
    for index, play in enumerate(plays):
        mode = find_mode(play)
        x = stores.index(play.store) + (number - 1.5) * _BAR
        samples = find_throughputs(play)
        found = spread(samples)
        axes.bar(
            x,
            found.median,
            _BAR * 0.92,
            color=LOOKS[mode].colour,
            label="_" if index else NAMES[mode],
        )
        axes.errorbar(x, found.median, yerr=stretch(found), color=INK, lw=1.2)
        if len(samples) <= _FEW:
            axes.plot([x] * len(samples), samples, ".", color=INK, ms=2.5, alpha=0.55)


# -- the modes against each other ----------------------------------------------------------------


def _show_ratios(source: Source, timing: Timing, plays: Sequence[Play]) -> Iterator[Exhibit]:
    rated = list(rate_modes(plays))
    if not rated:
        return
    pictures = [
        draw(
            f"{source.name}-ratio-{timing}-{scenario}",
            f"{scenario}: stateful against stateless, {_TIMINGS[timing]}",
            lambda axes, scenario=scenario: _paint_ratios(  # type: ignore[misc]
                axes, [each for each in rated if each[0].scenario == scenario]
            ),
            height=2.9,
            columns=2,
        )
        for scenario in find_scenarios(plays)
    ]
    yield Exhibit(
        title=f"Stateful against stateless, {timing}",
        caption="How often as many operations per second as the stateless runtime, each run "
        "against the stateless one of the same turn: medians, and lines for the middle half. To "
        "the right of 1 the stateful mode does more.",
        pictures=tuple(pictures),
        table=Table(
            (*_PLAYED, "times stateless (middle half)", "verdict"),
            tuple(
                (*_list_played(play), found.write(write_count), say_verdict(found))
                for play, found in rated
            ),
        ),
    )


def say_verdict(found: Spread) -> str:
    return {
        "more": "more",
        "less": "less",
        "noise": "within the noise",
        "unknown": "too few runs to tell",
    }[found.verdict]


def _paint_ratios(axes: Axes, rated: Sequence[tuple[Play, Spread]]) -> None:
    stores = find_stores([play for play, _ in rated])
    named: set[str] = set()
    for play, found in rated:
        mode = find_mode(play)
        y = stores.index(play.store) + (list(LOOKS).index(mode) - 2) * _BAR
        _paint_spread(axes, found, y, LOOKS[mode], "_" if mode in named else NAMES[mode])
        named.add(mode)
    axes.axvline(1, color=INK, lw=1)
    name_ticks(axes, "y", stores)
    axes.invert_yaxis()
    bounds = [bound for _, found in rated for bound in (found.low, found.high)]
    limits = min(0.5, *bounds) * 0.9, max(2.0, *bounds) * 1.1
    axes.set_xlabel(f"times the stateless throughput ({measure(axes, 'x', 'count', limits)})")
    axes.set_xlim(limits)


def _paint_spread(axes: Axes, found: Spread, y: float, drawn: Look, label: str) -> None:
    axes.errorbar(
        found.median,
        y,
        xerr=stretch(found),
        color=drawn.colour,
        marker=drawn.marker,
        label=label,
    )


# -- latencies -----------------------------------------------------------------------------------

_MARKS: Final = {2.0: "50%", 10.0: "90%", 100.0: "99%", 1e3: "99.9%", 1e4: "99.99%", 1e5: "99.999%"}


def _show_latencies(source: Source, plays: Sequence[Play]) -> Exhibit:
    pictures = [
        _draw_latencies(source, store, scenario, plays)
        for scenario in find_scenarios(plays)
        for store in find_stores(plays)
    ]
    return Exhibit(
        title="Latency at a constant rate",
        caption="The share of operations that were done within a time, from the histogram of all. "
        "They begin at a constant rate, a share of what the slowest mode can do, and their time "
        "counts from when they were meant to begin, so that none is left out which had to wait "
        "(corrected for coordinated omission). Both axes are logarithmic.",
        pictures=tuple(picture for picture in pictures if picture),
        table=Table(
            (*_PLAYED, "begun per second", "p50", "p99", "p99.9", "max", "lost"),
            tuple(_list_latency(each) for each in plays),
        ),
    )


def _list_latency(play: Play) -> tuple[str, ...]:
    found = play.latency
    percentiles = (found.p50, found.p99, found.p999, found.max)
    return (
        *_list_played(play),
        write_count(play.rate or 0),
        *(write_amount(each, "seconds") for each in percentiles),
        f"{play.audit.lost:,}",
    )


def _draw_latencies(
    source: Source, store: str, scenario: str, plays: Sequence[Play]
) -> Picture | None:
    some = [each for each in plays if (each.store, each.scenario) == (store, scenario)]
    if not any(each.latency.count for each in some):
        return None
    rate = write_count(some[0].rate or 0)
    return draw(
        f"{source.name}-latency-{scenario}-{store}",
        f"{scenario} on {store}: latency at {rate} operations per second",
        lambda axes: _paint_latencies(axes, some),
        height=3.1,
        columns=2,
    )


def _paint_latencies(axes: Axes, plays: Sequence[Play]) -> None:
    lines = {find_mode(each): follow(each.latency) for each in plays if each.latency.count}
    for mode, line in lines.items():
        drawn = LOOKS[mode]
        axes.plot(
            *zip(*line, strict=True),
            drawn.marker,
            color=drawn.colour,
            ls="-",
            label=NAMES[mode],
            markevery=12,
        )
    shares = [share for line in lines.values() for share, _ in line]
    measure(axes, "x", "count", [1.0, *shares])
    marks = {nines: name for nines, name in _MARKS.items() if nines <= max(shares)}
    axes.set_xticks(list(marks), list(marks.values()))
    axes.set_xlabel("share of the operations (log scale of those that remain)")
    kind = measure(
        axes, "y", "seconds", [seconds for line in lines.values() for _, seconds in line]
    )
    axes.set_ylabel(f"done within ({kind})")
