"""Check the shape of what a benchmark of curves comes to: no times."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Results


def check_curves(found: Results, theme: str, sizes: Sequence[Sequence[int]]) -> None:
    """All of one theme, each over one of those sizes, or what there is of them, and unharmed."""
    assert not found.failed
    assert not found.skipped
    assert found.is_sound
    assert found.curves
    assert len({each.name for each in found.curves}) == len(found.curves)
    for each in found.curves:
        assert each.theme == theme
        assert all(point.samples for point in each.points)
        xs = [point.x for point in each.points]
        assert any(xs == list(some)[-len(xs) :] for some in sizes)
        assert each.audit is None or each.audit.holds
