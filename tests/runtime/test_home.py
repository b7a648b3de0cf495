"""Test that a runtime is used only where it was opened: in that loop, and in that process."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from chord import Settings, WrongLoop
from tests.runtime.stage import Connect, MakeRuntime, Runtime

pytestmark = pytest.mark.anyio


def calls_of(chord: Runtime) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    return [
        lambda: chord.get_context("a"),
        lambda: chord.set_context("a", {}),
        lambda: chord.update_context("a", {}),
        lambda: chord.transform_context("a", dict),
        lambda: chord.delete_context("a"),
        lambda: chord.sync_context("a"),
        lambda: chord.list_contexts(),
        lambda: chord.cleanup(),
        lambda: chord.flush(),
    ]


async def test_another_loop_is_refused(chord: Runtime) -> None:
    await chord.set_context("a", {})

    def elsewhere() -> None:
        for call in calls_of(chord):
            with pytest.raises(WrongLoop):
                asyncio.run(call())

    await asyncio.to_thread(elsewhere)
    assert (await chord.get_context("a")).state == {}


async def test_a_thread_without_a_loop_is_refused(chord: Runtime) -> None:
    def elsewhere() -> None:
        for face in (chord.statistics, lambda: chord.cleaner, lambda: chord.watch_context("a")):
            with pytest.raises(WrongLoop):
                face()

    await asyncio.to_thread(elsewhere)


async def test_another_process_is_refused(chord: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.getpid()
    await chord.set_context("a", {})
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: real + 1)
        for call in calls_of(chord):
            with pytest.raises(WrongLoop):
                await call()
        with pytest.raises(WrongLoop):
            chord.statistics()
    assert (await chord.get_context("a")).state == {}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
async def test_a_fork_is_refused(make_runtime: MakeRuntime, connect_memory: Connect) -> None:
    async with make_runtime(await connect_memory(), settings=Settings()) as chord:
        await chord.set_context("a", {})
        assert _run_in_fork(chord) == 0
        assert (await chord.get_context("a")).state == {}


def _run_in_fork(chord: Runtime) -> int:
    child = os.fork()
    if child == 0:
        os._exit(_try_after_fork(chord))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _try_after_fork(chord: Runtime) -> int:
    """0 if it was refused."""
    asyncio.events._set_running_loop(None)
    try:
        asyncio.run(calls_of(chord)[0]())
    except WrongLoop:
        return 0
    except BaseException:
        return 2
    return 1
