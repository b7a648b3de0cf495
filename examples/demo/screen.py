"""Show the demonstration in a terminal: what is under way, then tables with a sentence each."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final

import attrs
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from examples.demo.room import Plan, Room
from examples.demo.tally import KINDS, Count
from examples.scenarios import Audit, Run, Scenario

# Two hues that colour-blind people tell apart, readable on dark and on light; words say it, too.
CALM: Final = "#2f8fd0"
WARM: Final = "#d9822b"
LOUD: Final = "bold #d55e00"

WIDEST: Final = 96
FRAME: Final = 1 / 20
"""Seconds between two pictures of what is under way."""


@attrs.frozen
class Played:
    """A scenario that was run in one runtime, several times, and what was found afterwards."""

    runtime: str
    runs: Sequence[Run]
    audit: Audit

    @property
    def scenario(self) -> Scenario:
        return self.runs[0].scenario

    @property
    def microseconds(self) -> float:
        """The time of one action in a run of median length."""
        actions = self.scenario.contexts * self.scenario.actions
        return median(run.seconds for run in self.runs) * 1e6 / actions


class Screen:
    """Writes to a console. Where that is no terminal, only the tables, and no control codes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, WIDEST)
        self._live: Live | None = None
        self._drawn = 0.0

    # -- while it runs ---------------------------------------------------------------------------

    def introduce(self, store: str, plan: Plan) -> None:
        self._say_title("Chord")
        self._say(
            "Keeps contexts of state, numbers every change, and tells a client that comes back "
            "exactly what it lacks."
        )
        self._say(f"Store: {store}. Clients: {plan.clients}. Seed: {plan.seed}.")

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Show what is under way, where that can be drawn over again."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def show(self, room: Room) -> None:
        """Draw a new picture of the room, unless the last one is too fresh."""
        now = time.monotonic()
        if self._live is None or now - self._drawn < FRAME:
            return
        self._drawn = now
        self._live.update(Padding(self._picture(room), (1, 1)), refresh=True)

    def _picture(self, room: Room) -> RenderableType:
        total = room.tally.total
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            ProgressBar(
                total=room.plan.total,
                completed=room.written,
                width=self._width - 30,
                complete_style=CALM,
                finished_style=CALM,
            ),
            f"{room.written:,} of {room.plan.total:,} updates",
        )
        return Group(
            bar,
            Text(),
            self._draw_clients(room),
            Text(),
            Text(
                f"Life {room.life} of {room.plan.lives}. {total.replies:,} replies, "
                f"{show_megabytes(total.sent)}; as full states {show_megabytes(total.full)}."
            ),
        )

    def _draw_clients(self, room: Room) -> Text:
        asks, watches, away = "●◆·" if self._is_unicode() else "oW."
        text = Text()
        for client in room.clients:
            if not client.online:
                text.append(away, style="dim")
            else:
                text.append(watches if client.watches else asks, WARM if client.watches else CALM)
        text.append("\n")
        text.append(f"{asks} asks  ", CALM).append(f"{watches} watches  ", WARM)
        return text.append(f"{away} away", "dim")

    # -- what came of it -------------------------------------------------------------------------

    def report_scenarios(self, played: Sequence[Played]) -> None:
        table = self._make_table("scenario", "runtime")
        for header in ("contexts", "updates", "syncs", "errors", "us each", "speed"):
            table.add_column(header, justify="right", no_wrap=True, overflow="crop")
        first: dict[str, float] = {}
        for each in played:
            scenario = each.scenario
            base = first.setdefault(scenario.name, each.microseconds)
            if base == each.microseconds and len(first) > 1:
                table.add_section()
            table.add_row(
                scenario.name,
                each.runtime,
                f"{scenario.contexts:,}",
                f"{sum(run.updates for run in each.runs):,}",
                f"{sum(run.syncs for run in each.runs):,}",
                _mark(sum(run.errors for run in each.runs)),
                f"{each.microseconds:,.1f}",
                f"{base / each.microseconds:.1f}x",
            )
        self._show_table(
            "Everybody at once, stateless and stateful",
            table,
            "All actions of a scenario begin at the same moment: two of three change a field of "
            "a group of 50 people, the third asks what came since version 1. The runtimes "
            f"take turns, {len(played[0].runs)} times each; the median run is told. An update is "
            "acknowledged once it is in the store; but with write-behind at once, and it is stored "
            "within a second.",
        )

    def report_replies(self, room: Room) -> None:
        table = self._make_table("reply", "to a client that")
        for header in ("given", "sent kB", "full kB", "saved"):
            table.add_column(header, justify="right", no_wrap=True, overflow="crop")
        for kind, client in KINDS.items():
            count = room.tally.counts[kind]
            client = client.format(threshold=room.plan.threshold)
            table.add_row(kind, client, *_show_count(count), style="" if count.replies else "dim")
        table.add_section()
        table.add_row("all", "", *_show_count(room.tally.total), style="bold")
        self._show_table(
            f"One room, {room.plan.total:,} updates, {room.plan.clients} clients who come and go",
            table,
            "Counted are the bytes of the changes, or of the state, as the codec stores them "
            "(MessagePack), without positions and framing; 'full' is what the whole state in each "
            "reply would have taken.",
        )
        self._draw_bars(room.tally.total)

    def _draw_bars(self, total: Count) -> None:
        longest = self._width - 19
        block = "█" if self._is_unicode() else "#"
        self._console.print()
        for name, size, style in (("sent", total.sent, CALM), ("full", total.full, WARM)):
            length = max(1, round(longest * size / max(total.full, total.sent, 1)))
            line = Text(f" {name:5} ").append(block * length, style)
            self._console.print(line.append(f" {show_megabytes(size)}"))
        ratio = total.full / max(total.sent, 1)
        self._say(f"For each byte sent, full states would have taken {ratio:.0f}.")

    def report_audit(self, audits: dict[str, Audit], errors: int) -> None:
        table = self._make_table("audit")
        for header in ("acknowledged", "kept", "lost", "copies", "equal", "differ"):
            table.add_column(header, justify="right", no_wrap=True, overflow="crop")
        for name, audit in audits.items():
            table.add_row(name, *_show_audit(audit))
        table.add_section()
        whole = sum(audits.values(), Audit())
        table.add_row("all", *_show_audit(whole), style="bold")
        self._show_table(
            "What became of it",
            table,
            "Every update that was acknowledged was looked for in the store, and every client's "
            "copy, made from its replies alone, was compared with the server's state.",
        )
        self._judge(whole, errors)

    def _judge(self, audit: Audit, errors: int) -> None:
        self._console.print()
        if errors:
            self._say(f"{errors:,} updates of the room ended in an error, and are not counted.")
        if audit.holds:
            self._say(
                f"Nothing was lost: {audit.kept:,} of {audit.acknowledged:,} acknowledged "
                f"updates are there, and {audit.equal:,} of {audit.copies:,} copies equal the "
                "server.",
                f"bold {CALM}",
            )
            self._say("Begin with examples/quickstart.py; each program there is a page long.")
        else:
            self._say(
                f"LOST: {audit.lost:,} of {audit.acknowledged:,} acknowledged updates are not "
                f"there, and {audit.copies - audit.equal:,} of {audit.copies:,} copies differ "
                "from the server.",
                LOUD,
            )
        self._console.print()

    def complain(self, problem: str) -> None:
        self._say(f"Cannot go on: {problem}", LOUD)

    # -- how it is drawn -------------------------------------------------------------------------

    def _make_table(self, *words: str) -> Table:
        table = Table(
            box=box.SIMPLE_HEAD, width=self._width, padding=(0, 1, 0, 0), header_style="bold"
        )
        for place, word in enumerate(words, 1):
            last = place == len(words)
            table.add_column(word, no_wrap=True, overflow="crop", ratio=1 if last else None)
        return table

    def _show_table(self, title: str, table: Table, meaning: str) -> None:
        self._say_title(title)
        self._console.print(table, end="")
        self._say(meaning)

    def _say_title(self, title: str) -> None:
        self._console.print()
        self._say(title, f"bold {CALM}")

    def _say(self, sentence: str, style: str = "") -> None:
        for line in textwrap.wrap(sentence, self._width - 2):
            self._console.print(Text(f" {line}", style))

    def _is_unicode(self) -> bool:
        return self._console.encoding.startswith("utf")


def show_megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB"


def _show_count(count: Count) -> tuple[str, str, str, str]:
    saved = f"{count.saved:.1%}" if count.full else ""
    return f"{count.replies:,}", f"{count.sent / 1e3:,.0f}", f"{count.full / 1e3:,.0f}", saved


def _show_audit(audit: Audit) -> tuple[str | Text, ...]:
    return (
        f"{audit.acknowledged:,}",
        f"{audit.kept:,}",
        _mark(audit.lost),
        f"{audit.copies:,}",
        f"{audit.equal:,}",
        _mark(audit.copies - audit.equal),
    )


def _mark(problems: int) -> Text:
    return Text(f"{problems:,}", style=LOUD if problems else "")
