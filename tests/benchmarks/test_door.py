"""Test that a crowd of sockets is told, counted, weighed and audited, a few of them here: no times.

Whatever starts a server's process is slow.
"""

from __future__ import annotations

import resource
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from benchmarks import harness, results
from benchmarks.__main__ import main
from benchmarks.door import command
from benchmarks.door.command import THEMES, make
from benchmarks.door.crowd import Crowd, open_crowd
from benchmarks.door.frames import BINARY, TEXT, Frames, write_frame
from benchmarks.door.hosting import Host, Kind
from benchmarks.door.sizes import FULL, QUICK, TINY
from benchmarks.door.sockets import SPARE, allow_sockets, mark_position
from benchmarks.harness import CannotMeasure
from chord.web.sharing import pack
from chord.web.wire import Current, Encoding
from tests.benchmarks.curves import check_curves

pytestmark = pytest.mark.anyio


def open_tiny(
    kind: Kind = "door", encoding: Encoding = Encoding.JSON, *, apart: bool = False
) -> AbstractAsyncContextManager[tuple[Host, Crowd]]:
    return open_crowd(kind, encoding, TINY, apart=apart)


# -- the command ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("theme", THEMES)
async def test_a_theme_is_measured_over_all_sizes(theme: str) -> None:
    found = await harness.measure(make(TINY), f"{theme}: *")
    check_curves(found, theme, [TINY.sockets])
    assert all(len(each.others) == 1 for each in found.measured)
    assert all(each.unit == "bytes" for each in found.figures)


@pytest.mark.slow
def test_the_command_writes_its_results_and_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "QUICK", TINY)
    out, profiles = tmp_path / "door.json", tmp_path / "profiles"
    words = ["--only", "one context, JSON: speed", "--out", str(out), "--profile", str(profiles)]
    assert main(["door", "--quick", *words]) == 0
    assert results.read(out).curves
    assert [each.name for each in profiles.iterdir()] == ["one-context-JSON.prof"]


async def test_where_too_few_files_may_be_open_it_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 10))
    found = await harness.measure(make(TINY), "slow sockets, JSON: *")
    assert ["files may be open" in each.reason for each in found.skipped] == [True]


def test_as_many_files_as_are_allowed_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    allow_sockets(500)
    assert asked == [(500 + SPARE, 1000)]
    with pytest.raises(CannotMeasure, match="at most 1,000 files"):
        allow_sockets(1001)


# -- a crowd -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["door", "floor"])
@pytest.mark.parametrize("encoding", Encoding)
async def test_all_sockets_are_told_of_each_update(kind: Kind, encoding: Encoding) -> None:
    async with open_tiny(kind, encoding) as (_, crowd):
        await crowd.grow(4)
        await crowd.grow(6)
        before = crowd.count_frames()
        telling = await crowd.tell()
        assert telling.called < telling.acknowledged
        assert telling.called < telling.last
        assert len(crowd) == 6
        assert crowd.count_frames() - before == 6


@pytest.mark.slow
@pytest.mark.parametrize("apart", [False, True])
async def test_a_rush_ends_where_the_server_is(apart: bool) -> None:
    async with open_tiny(apart=apart) as (_, crowd):
        await crowd.grow(10)
        rush = await crowd.rush(20)
        assert 0 < rush.acknowledged <= rush.whole
        audit = await crowd.audit()
        assert audit.holds
        assert audit.acknowledged == 20
        assert audit.copies > 10


@pytest.mark.slow
async def test_who_is_slow_is_audited_too() -> None:
    async with open_tiny() as (_, crowd):
        await crowd.grow(6, slow=2)
        async with crowd.dozing():
            for _ in range(5):
                await crowd.tell(letters=50_000)
        audit = await crowd.audit()
        assert audit.holds
        assert len(list(crowd.sleepers)) == 2


@pytest.mark.slow
async def test_the_audit_sees_an_update_that_was_not_kept() -> None:
    async with open_tiny() as (_, crowd):
        await crowd.grow(4)
        await crowd.tell()
        (room,) = crowd.rooms
        room.acknowledged += 1
        assert (await crowd.audit()).lost == 1


@pytest.mark.slow
async def test_the_audit_sees_a_replica_that_was_not_told_everything() -> None:
    async with open_tiny() as (_, crowd):
        await crowd.grow(4)
        await crowd.tell()
        told = next(each.told for each in crowd.prompt if each.told is not None)
        del told[-1]
        audit = await crowd.audit()
        assert audit.copies - audit.equal == 1


@pytest.mark.slow
async def test_a_server_takes_memory_and_time() -> None:
    async with open_tiny() as (server, crowd):
        before = server.read_time()
        await crowd.grow(4)
        assert server.weigh() > 0
        assert server.read_time() > before


@pytest.mark.slow
async def test_a_server_that_ends_is_not_waited_for() -> None:
    async with open_tiny() as (_, crowd):
        await crowd.grow(2)
        for each in crowd.prompt:
            each.transport.abort()
        with pytest.raises(ConnectionError):
            await crowd.tell()


# -- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_of_any_length_is_read_however_it_is_cut(length: int) -> None:
    data = unmask(write_frame(BINARY, bytes(length))) + unmask(write_frame(TEXT, b"next"))
    for cut in {0, 1, 2, 3, 9, 10, length, len(data) - 1}:
        frames = Frames()
        found = [*frames.take(data[:cut]), *frames.take(data[cut:])]
        assert found == [(BINARY, bytes(length)), (TEXT, b"next")]


def unmask(frame: bytes) -> bytes:
    """As a server would send it; the mask is of zeros."""
    at = {126: 4, 127: 10}.get(frame[1] & 127, 2)
    return bytes([frame[0], frame[1] & 127]) + frame[2:at] + frame[at + 4 :]


def test_a_message_in_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="pieces"):
        list(Frames().take(b"\x01\x01a"))


@pytest.mark.parametrize("encoding", Encoding)
def test_a_position_is_found_in_its_own_frames_only(encoding: Encoding) -> None:
    def write(position: str) -> bytes:
        data = pack(Current(context="room:1", position=position), encoding)
        return data.encode() if isinstance(data, str) else data

    mark = mark_position("k3f9:4", encoding)
    assert mark in write("k3f9:4")
    assert mark not in write("k3f9:41")
    assert mark not in write("k3f9:3")


def test_sizes_grow() -> None:
    for sizes in (QUICK, FULL, TINY):
        assert list(sizes.sockets) == sorted(set(sizes.sockets))
        assert sizes.share * sizes.sockets[-1] >= 1
