"""Show what audits found of each theme, and what kills cost each mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from matplotlib.axes import Axes

from benchmarks.crash import Crash
from benchmarks.report.canvas import draw, name_ticks
from benchmarks.report.exhibit import Exhibit, Picture, Table, write_amount
from benchmarks.report.looks import INK, LOOKS, NAMES
from benchmarks.report.losses import (
    Audited,
    find_audit,
    find_audited,
    find_mode,
    find_share,
    find_span,
)
from benchmarks.report.sources import Source
from benchmarks.report.words import group
from examples.scenarios import Audit

_HEADINGS: Final = ("acknowledged", "kept", "lost", "copies equal")


# -- all audits ----------------------------------------------------------------------------------


def show_audits(source: Source) -> Iterator[Exhibit]:
    """The sums of each theme; kills are shown by themselves."""
    audited = [each for each in find_audited(source) if not isinstance(each, Crash)]
    if audited:
        yield Exhibit(
            title="Audit",
            caption="What was acknowledged, and what of it was there when the store was read "
            "afterwards; and how many copies at clients were equal to the server's.",
            table=Table(("theme", *_HEADINGS), tuple(_list_themes(audited))),
        )
    if source.results.crashes:
        yield _show_crashes(source, source.results.crashes)


def _list_themes(audited: Sequence[Audited]) -> Iterator[tuple[str, ...]]:
    for theme, some in group(audited, lambda each: each.theme).items():
        yield theme, *_list_audit(sum((find_audit(each) for each in some), Audit()))


def _list_audit(audit: Audit) -> tuple[str, ...]:
    copies = f"{audit.equal:,} of {audit.copies:,}" if audit.copies else "none looked at"
    return f"{audit.acknowledged:,}", f"{audit.kept:,}", f"{audit.lost:,}", copies


# -- kills ---------------------------------------------------------------------------------------


def _show_crashes(source: Source, crashes: Sequence[Crash]) -> Exhibit:
    return Exhibit(
        title="Killed while it wrote",
        caption="The share of the acknowledged updates that a process had lost when it was killed "
        "(kill -9) and its store was read anew, from 0: a bar is that of all kills, a dot each of "
        "them. What was lost is also told in seconds back from the kill.",
        pictures=(_draw_crashes(source, crashes),),
        table=Table(
            (
                *("store", "mode", "kills", "acknowledged", "lost", "share", "at most back"),
                *("said to be stored", "lost of those", "promise"),
            ),
            tuple(_list_crash(each) for each in crashes),
        ),
    )


def _list_crash(crash: Crash) -> tuple[str, ...]:
    return (
        crash.store,
        find_mode(crash),
        str(len(crash.kills)),
        f"{crash.audit.acknowledged:,}",
        f"{crash.audit.lost:,}",
        f"{find_share(crash.audit):.1%}",
        write_amount(find_span(crash), "seconds"),
        f"{crash.durable.acknowledged:,}",
        f"{crash.durable.lost:,}",
        "kept" if crash.holds else "BROKEN",
    )


def _draw_crashes(source: Source, crashes: Sequence[Crash]) -> Picture:
    return draw(
        f"{source.name}-kills",
        "lost by a kill, of what was acknowledged",
        partial(_paint_crashes, crashes=crashes),
        height=3.0,
        columns=2,
    )


def _paint_crashes(axes: Axes, crashes: Sequence[Crash]) -> None:
    stores = list(dict.fromkeys(each.store for each in crashes))
    for crash in crashes:
        mode = find_mode(crash)
        x = stores.index(crash.store) + (list(LOOKS).index(mode) - 1.5) * 0.2
        label = NAMES[mode] if crash.store == stores[0] else "_"
        axes.bar(x, find_share(crash.audit), 0.18, color=LOOKS[mode].colour, label=label)
        shares = [find_share(kill.audit) for kill in crash.kills]
        axes.plot([x] * len(shares), shares, ".", color=INK, ms=4)
        axes.annotate(
            f"{crash.audit.lost:,}",
            (x, max(shares)),
            (0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    name_ticks(axes, "x", stores)
    axes.set_ylim(0, 1.08)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_ylabel("share of acknowledged, lost")
