"""Hold `Contention`: the order of a stateless runtime's writes, and their compare-and-set.

Writes of one context take turns. What arrives while a turn is under way is the next turn: it is
drafted together and committed at once. Where another process was faster, the turn starts again
from what the store has now.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence
from typing import Final, Protocol

import attrs

from chord.backends.base import Backend
from chord.clock import Clock
from chord.config import Settings
from chord.crew import Crew, Spawn
from chord.errors import (
    ChordClosed,
    ChordError,
    CorruptData,
    DeadlineExceeded,
    DuplicateOperation,
    InvalidState,
    OutcomeTimeout,
    OutcomeUnknown,
    VersionConflict,
)
from chord.journal import Journal, Written
from chord.live import Draft, Live, make_unreadable
from chord.position import Position
from chord.records import Batch
from chord.requests import Delete, Request, Restore, op_id_of
from chord.shelf import Shelf
from chord.transition import Born, Gone, Unchanged
from chord.turns import (
    Answer,
    Job,
    Pending,
    answer_again,
    contain,
    copy_error,
    take_turn,
)

FIRST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.1


class Observer(Protocol):
    """Who is told of commits."""

    def committed(self, live: Live) -> None: ...

    def deleted(self, context_id: str, position: Position) -> None: ...


@attrs.define
class Plan:
    """What a turn would do from one live context: the draft, and what to tell each job."""

    draft: Draft
    commit_id: str
    written: list[Written] = attrs.field(factory=list)
    results: list[tuple[Job, Answer | BaseException]] = attrs.field(factory=list)

    @property
    def is_conditional(self) -> bool:
        """Whether something was asked for only where the context is at a certain position."""
        return any(getattr(job.request, "expected", None) is not None for job, _ in self.results)

    def answer(self) -> None:
        for job, result in self.results:
            job.answer(result)


class _Queued(Pending, kw_only=True):
    """A request in the queue of its context."""

    contention: Contention
    context_id: str

    def take_back(self) -> None:
        self.contention.withdraw(self.context_id, self)


class Contention:
    """Runs the turns. `spawn` starts a task for a context whose requests wait."""

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        shelf: Shelf,
        settings: Settings,
        observer: Observer,
        spawn: Spawn,
    ) -> None:
        self._backend = backend
        self._journal = journal
        self._shelf = shelf
        self._settings = settings
        self._clock: Clock = settings.clock
        self._observer = observer
        self._crew = Crew(spawn)
        self._queues: dict[str, deque[Pending]] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = 0
        self.conflicts = 0

    def submit(
        self, context_id: str, request: Request, timeout: float | None
    ) -> Awaitable[Answer]:
        """Run a request in its turn. A caller that is cancelled before then takes it back."""
        pending = _Queued(request, asyncio.Future(), contention=self, context_id=context_id)
        if timeout is not None:
            due = self._clock.monotonic() + timeout
            pending.timer = self._clock.call_at(due, lambda: self._expire(context_id, pending))
        self._enqueue(context_id, pending)
        return pending

    async def drain(self) -> None:
        """Return when nothing waits or is under way."""
        await self._idle.wait()

    def _enqueue(self, context_id: str, pending: Pending) -> None:
        queue = self._queues.get(context_id)
        if queue is not None:
            queue.append(pending)
            return
        self._queues[context_id] = deque((pending,))
        self._idle.clear()
        self._crew.put(lambda: self._run(context_id))

    def _expire(self, context_id: str, pending: Pending) -> None:
        if pending.begun:
            pending.answer(OutcomeTimeout(context_id))
        else:
            self.withdraw(context_id, pending)
            pending.answer(DeadlineExceeded(context_id))

    def withdraw(self, context_id: str, pending: Pending) -> None:
        """Take a request out that has not begun. O(n)."""
        if pending.timer is not None:
            pending.timer.cancel()
        queue = self._queues.get(context_id, ())
        if not pending.begun and pending in queue:
            assert isinstance(queue, deque)
            queue.remove(pending)

    # -- a context's task ------------------------------------------------------------------------

    async def _run(self, context_id: str) -> None:
        queue = self._queues[context_id]
        jobs: list[Job] = []
        try:
            while queue:
                jobs = take_turn(queue)
                await self._turn(context_id, jobs)
        except Exception as error:  # a bug, or an application's codec: nobody is left waiting
            self._shelf.drop(context_id)
            _answer_all(jobs, error)
        except BaseException:
            _answer_all(jobs, OutcomeUnknown(context_id, "the runtime was stopped meanwhile"))
            for pending in queue:
                pending.answer(ChordClosed("the runtime was stopped"))
            queue.clear()
            raise
        finally:
            self._leave(context_id, queue)

    def _leave(self, context_id: str, queue: deque[Pending]) -> None:
        if queue:
            self._crew.put(lambda: self._run(context_id))
            return
        del self._queues[context_id]
        if not self._queues:
            self._idle.set()

    async def _turn(self, context_id: str, jobs: list[Job]) -> None:
        try:
            await self._attempt(context_id, jobs)
        except InvalidState as error:
            if len(jobs) == 1 and len(jobs[0].pendings) == 1:
                jobs[0].answer(error)
                return
            for job in jobs:  # together they are too large: find out who is
                for single in job.split():
                    await self._turn(context_id, [single])
        except ChordError as error:
            _answer_all(jobs, error)

    async def _attempt(self, context_id: str, jobs: list[Job]) -> None:
        """Load, draft and commit, until it holds. Raises what is to be answered to all jobs."""
        live = self._shelf.peek(context_id)
        if live is not None:
            plan = self._draft(context_id, live, jobs)
            if _is_confirmed_by_commit(plan) and await self._commit(plan):
                return
        for attempt in range(self._settings.commit_attempts):
            await self._pause(attempt)
            live, jobs = await self._load(context_id, jobs)
            plan = self._draft(context_id, live, jobs)
            if not plan.draft.changed:
                return plan.answer()
            if await self._commit(plan):
                return
        raise VersionConflict(context_id, None, live.position if live else None)

    async def _load(self, context_id: str, jobs: list[Job]) -> tuple[Live | None, list[Job]]:
        """The context as the store has it; jobs whose operations it has are answered at once."""
        op_ids = [op_id for job in jobs if (op_id := op_id_of(job.request)) is not None]
        since = self._clock.time() - self._settings.op_ttl
        try:
            found = await self._shelf.fresh(context_id, op_ids, since)
        except CorruptData:
            if any(not isinstance(job.request, (Delete, Restore)) for job in jobs):
                raise
            return await self._load_head(context_id), jobs
        if not found.operations:
            return found.live, jobs
        open_jobs: list[Job] = []
        for job in jobs:
            operation = found.operations.get(op_id_of(job.request) or "")
            if operation is None:
                open_jobs.append(job)
            else:
                job.answer(answer_again(found.live, operation))
        return found.live, open_jobs

    async def _load_head(self, context_id: str) -> Live | None:
        position = (await self._backend.heads([context_id])).get(context_id)
        return None if position is None else make_unreadable(context_id, position)

    def _draft(self, context_id: str, live: Live | None, jobs: Sequence[Job]) -> Plan:
        plan = Plan(Draft(context_id, live), secrets.token_hex(8))
        now = self._clock.time()
        epoch = secrets.token_hex(8)
        done: dict[str, Answer] = {}
        waiting = deque(jobs)
        while waiting:
            job = waiting.popleft()
            op_id = op_id_of(job.request)
            result: Answer | BaseException
            try:
                result = done[op_id] if op_id in done else self._take(plan, job, now, epoch)
            except (Exception, asyncio.CancelledError) as error:
                # nothing is awaited here: if this is a cancellation, it is the application's own
                if isinstance(error, InvalidState) and len(job.pendings) > 1:
                    waiting.extendleft(reversed(job.split()))  # together they are too large
                    continue
                result = contain(error)
            if op_id is not None and isinstance(result, Answer) and result.changed:
                done[op_id] = result
            plan.results.append((job, result))
        return plan

    def _take(self, plan: Plan, job: Job, now: float, epoch: str) -> Answer:
        draft = plan.draft
        outcome = draft.take(job.request, now, epoch)
        if not isinstance(outcome, Born):
            return _answer(outcome, draft)
        try:
            written = self._journal.write(draft, plan.commit_id)
        except BaseException:
            draft.retract()
            raise
        plan.written.append(written)
        delta = outcome.delta
        return Answer(draft.position, delta, True, delta.updated_at, len(written.entry.changes))

    async def _commit(self, plan: Plan) -> bool:
        """Commit a plan and answer; False where the store is not where the plan begins."""
        batch = self._journal.compose(plan.draft, plan.written, self._clock.time())
        try:
            await self._backend.commit(batch)
        except (VersionConflict, DuplicateOperation):
            self.conflicts += 1
            return False
        except OutcomeUnknown as error:
            if not await self._resolve(batch, error, conditional=plan.is_conditional):
                return False
        self._adopt(plan, batch)
        return True

    def _adopt(self, plan: Plan, batch: Batch) -> None:
        """Answer first: who wrote is not to wait until a thousand watchers have run."""
        self.commits += 1
        if plan.draft.gone:
            self._shelf.drop(batch.context_id)
            plan.answer()
            assert batch.expect is not None
            self._observer.deleted(batch.context_id, batch.expect)
            return
        live = self._journal.advance(plan.draft, batch, plan.written)
        self._shelf.put(live)
        plan.answer()
        self._observer.committed(live)

    # -- when nobody knows -----------------------------------------------------------------------

    async def _resolve(
        self, batch: Batch, error: OutcomeUnknown, *, conditional: bool = False
    ) -> bool:
        """Find out whether a batch was applied, and if it still may be, apply it.

        A batch can be put again as it is, for only one of its kind finds the position it expects.
        False where it was not applied, and never can be. Raises `error` where nobody can tell.
        """
        for attempt in range(3):
            try:
                verdict = await self._look_for(batch)
                if verdict is not None and not (conditional and batch.position is None and verdict):
                    return verdict
                if verdict:
                    break  # it is gone, but whether by us, from where it was expected?
                if batch.expect is None:
                    break  # "there is none" can come again: it may be a second life by then
                await self._pause(attempt)
                await self._backend.commit(batch)
                return True
            except (VersionConflict, DuplicateOperation):
                continue  # somebody was faster; it may have been the first try
            except OutcomeUnknown as another:
                error = another
            except ChordError:
                break
        raise error

    async def _look_for(self, batch: Batch) -> bool | None:
        """Whether the store has the batch; None if it stands where it stood before it."""
        stored = await self._backend.load(batch.context_id)
        if (stored.position if stored else None) == batch.expect:
            return None
        if batch.position is None and stored is None:
            return True
        if batch.position is None and stored and _same_epoch(stored.position, batch.expect):
            return False
        if stored is not None and batch.position is not None:
            commit_id = batch.entries[-1].commit_id
            if any(entry.commit_id == commit_id for entry in stored.entries):
                return True
            if stored.position.epoch == batch.position.epoch != _epoch(batch.expect):
                return True
            first = stored.entries[0].version if stored.entries else stored.position.version + 1
            if _same_epoch(stored.position, batch.expect) and first <= batch.entries[0].version:
                return False
        raise OutcomeUnknown(batch.context_id, "the log no longer tells")

    async def _pause(self, attempt: int) -> None:
        """Let others go first, the longer the more often this happened; jittered."""
        if attempt == 0:
            return
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
        # real time, whatever the application's clock: the others are other processes
        await asyncio.sleep(random.uniform(0, longest))

    def statistics(self) -> dict[str, int]:
        return {
            "waiting": sum(map(len, self._queues.values())),
            "busy": len(self._queues),
            "commits": self.commits,
            "conflicts": self.conflicts,
        }


def _is_confirmed_by_commit(plan: Plan) -> bool:
    """Whether all that a plan from remembered state answers holds if its commit does."""
    return plan.draft.changed and all(
        op_id_of(job.request) is None or (isinstance(result, Answer) and result.changed)
        for job, result in plan.results
    )


def _answer(outcome: Unchanged | Gone, draft: Draft) -> Answer:
    if isinstance(outcome, Gone):
        return Answer(outcome.position, None, True, 0.0)
    if draft.births:
        updated_at = draft.births[-1].delta.updated_at
    else:
        updated_at = draft.base.updated_at if draft.base else 0.0
    return Answer(outcome.position, None, False, updated_at)


def _epoch(position: Position | None) -> str | None:
    return position.epoch if position else None


def _same_epoch(a: Position, b: Position | None) -> bool:
    return a.epoch == _epoch(b)


def _answer_all(jobs: Iterable[Job], error: BaseException) -> None:
    """Raise an error for everybody: to each a copy, as each adds its own traceback."""
    for job in jobs:
        for pending in job.pendings:
            pending.answer(copy_error(error))
