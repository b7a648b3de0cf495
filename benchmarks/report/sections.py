"""Show all that a run came to, whatever it measured."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.audits import show_audits
from benchmarks.report.comparisons import show_comparisons
from benchmarks.report.curves import show_curves
from benchmarks.report.exhibit import Picture
from benchmarks.report.page import Section
from benchmarks.report.plays import show_plays
from benchmarks.report.sources import Source


def show(source: Source) -> Section:
    shows = (show_plays, show_comparisons, show_curves, show_audits)
    return Section(source, tuple(exhibit for each in shows for exhibit in each(source)))


def find_pictures(sections: Sequence[Section]) -> list[Picture]:
    return [
        picture
        for section in sections
        for exhibit in section.exhibits
        for picture in exhibit.pictures
    ]
