"""Hold `Paper`: what a store would have of one context, without a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from actors.messages import Ask
from chord.changes import Modified
from chord.config import Settings
from chord.journal import Journal, Written
from chord.live import Draft, Live
from chord.position import Position
from chord.records import Batch, Entry, Stored
from chord.requests import Request, Set, Update
from chord.state import take_in, take_in_changes
from chord.testing.strategies import Write
from tests.laws import pack

NOW = 5000.0
ENTRY = len(pack({"n": Modified(1, 2)}))


def make_journal(**fields: Any) -> Journal:
    return Journal(Settings(**fields))


class Paper:
    """What a store would have of one context, batch by batch."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.stored: Stored | None = None
        self.live: Live | None = None

    def run(self, *requests: Request, epoch: str = "k") -> Batch:
        """Commit requests as one batch; some of them must change something."""
        batch = self.try_to_run(*requests, epoch=epoch)
        assert batch is not None
        return batch

    def try_to_run(self, *requests: Request, epoch: str = "k") -> Batch | None:
        draft = Draft("room:1", self.live)
        written: list[Written] = []
        for request in requests:
            births = len(draft.births)
            draft.take(request, NOW, epoch)
            if len(draft.births) > births:
                written.append(self.journal.write(draft, f"c{draft.position}"))
        if not draft.changed:
            return None
        batch = self.journal.compose(draft, written, NOW)
        if draft.gone:
            self.stored = self.live = None
        else:
            self.stored = self._store(batch)
            self.live = self.journal.advance(draft, batch, written)
            self.live.check()
        return batch

    def _store(self, batch: Batch) -> Stored:
        assert batch.position is not None
        before = self.stored
        continued = before is not None and before.position.epoch == batch.position.epoch
        kept: Sequence[Entry] = before.entries if before and continued else ()
        entries = [entry for entry in (*kept, *batch.entries) if entry.version > batch.trim_to]
        return Stored(
            context_id="room:1",
            position=batch.position,
            updated_at=batch.updated_at,
            floor=before.floor if before and continued else batch.entries[0].version,
            snapshot=batch.snapshot or (before.snapshot if before else None),
            entries=tuple(entries),
            operations={},
        )

    def load(self) -> Stored:
        assert self.stored is not None
        return self.stored

    def reaches(self, position: Position) -> bool:
        """Whether the log continues from there: if not, a store gives all."""
        stored = self.load()
        first = stored.entries[0].version if stored.entries else stored.position.version + 1
        return first <= position.version + 1

    def load_after(self, position: Position) -> Stored:
        entries = [entry for entry in self.load().entries if entry.version > position.version]
        return attrs.evolve(self.load(), snapshot=None, entries=tuple(entries))


def put(write: Write, **fields: Any) -> Update:
    return Update(patches=(take_in_changes(write),), **fields)


def count_to(number: int, **fields: Any) -> Paper:
    """A context whose version v has `n` at v; each version is a batch."""
    paper = Paper(make_journal(**fields))
    paper.run(Set(state=take_in({"n": 1})))
    for n in range(2, number + 1):
        paper.run(put({"n": n}))
    return paper


class NoCounter:
    """Where nobody takes back what was asked."""

    def withdraw(self, ask: Ask) -> None:
        raise AssertionError(f"{ask!r} was taken back")
