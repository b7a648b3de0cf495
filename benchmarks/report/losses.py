"""Find what audits found amiss: every loss by its name, and whether it breaks a promise. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs

from benchmarks.crash import Crash
from benchmarks.curve import Curve
from benchmarks.play import Play
from benchmarks.report.sources import Source
from benchmarks.results import keeps_promises
from examples.scenarios import Audit

Audited: TypeAlias = Play | Curve | Crash

_LOST: Final = "lost of"
"""What the name of a figure says that counts what was lost."""


@attrs.frozen
class Loss:
    """Something that lost what it had acknowledged, failed, or has copies that differ.

    `is_broken` where more was promised; a mode that stores later, or a peer, may lose.
    """

    benchmark: str
    theme: str
    name: str
    words: str
    is_broken: bool


def find_losses(source: Source) -> Iterator[Loss]:
    """Broken promises first."""
    found = [*_find_in_audits(source), *_find_in_figures(source)]
    yield from sorted(found, key=lambda loss: not loss.is_broken)


def _find_in_audits(source: Source) -> Iterator[Loss]:
    for each in find_audited(source):
        words = describe(each)
        if words:
            is_broken = not keeps_promises(each)
            yield Loss(source.results.benchmark, each.theme, each.name, words, is_broken)


def _find_in_figures(source: Source) -> Iterator[Loss]:
    for each in source.results.figures:
        if _LOST in each.name and each.value:
            words = f"lost {each.value:,.0f}"
            yield Loss(source.results.benchmark, each.theme, each.name, words, each.is_met is False)


def find_audited(source: Source) -> Iterator[Audited]:
    results = source.results
    yield from results.plays
    yield from (each for each in results.curves if each.audit)
    yield from results.crashes


def find_audit(audited: Audited) -> Audit:
    return audited.audit or Audit()


def describe(audited: Audited) -> str:
    """What an audit found amiss, empty if nothing was."""
    audit = find_audit(audited)
    words = []
    if audit.lost:
        words.append(f"lost {audit.lost:,} of {audit.acknowledged:,} acknowledged updates")
    if isinstance(audited, Crash) and audited.durable.lost:
        words.append(f"{audited.durable.lost:,} of those were said to be stored")
    if audit.equal != audit.copies:
        words.append(f"{audit.copies - audit.equal:,} of {audit.copies:,} copies differ")
    if isinstance(audited, Play) and audited.errors:
        words.append(f"{audited.errors:,} operations failed")
    return ", ".join(words)


# -- kills ---------------------------------------------------------------------------------------


def find_mode(crash: Crash) -> str:
    return crash.durability or crash.runtime


def find_share(audit: Audit) -> float:
    return audit.lost / max(audit.acknowledged, 1)


def find_span(crash: Crash) -> float:
    """How far back, in seconds, the worst of the kills reached."""
    return max((kill.span for kill in crash.kills), default=0.0)
