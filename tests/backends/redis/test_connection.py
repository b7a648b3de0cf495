"""Test how commands travel when servers die, stand still, lose replies or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis

from chord.backends.redis import RedisBackend
from chord.backends.redis.connection import read_url
from chord.errors import BackendUnavailable, ConfigurationError, OutcomeUnknown, WrongLoop
from chord.position import Position
from chord.testing.contract_batches import BORN, ROOM, make_birth, make_death, make_step, walk
from chord.testing.servers import Server
from tests.backends.redis.proxy import Proxy

pytestmark = [pytest.mark.anyio, pytest.mark.server]

PATIENT = 60.0
"""Seconds that no test lasts: what is answered before that was answered at once."""
SHORT = 0.3
LONG_ENOUGH = 2.0  # for a few commands at once, on however busy a machine
"""Seconds that a server which works is never silent for."""


@asynccontextmanager
async def connect(url: str, timeout: float = PATIENT) -> AsyncIterator[RedisBackend]:
    backend = RedisBackend(url, timeout=timeout, connect_timeout=timeout)
    await backend.open()
    try:
        async with asyncio.timeout(PATIENT / 2):
            yield backend
    finally:
        await backend.close()


# -- a server that dies --------------------------------------------------------------------------


async def test_a_dead_server_is_told_at_once_and_by_address(own_server: Server) -> None:
    async with connect(own_server.url) as backend:
        await backend.commit(make_birth())
        own_server.kill()
        for call in (backend.load(ROOM), backend.commit(make_step(BORN)), backend.heads([ROOM])):
            with pytest.raises(BackendUnavailable) as unavailable:
                await call
            assert unavailable.value.address == own_server.address


async def test_the_next_call_works_when_the_server_is_back(own_server: Server) -> None:
    async with connect(own_server.url) as backend:
        await backend.commit(make_birth())
        await backend.load(ROOM)
        own_server.kill()
        own_server.start()
        assert await backend.load(ROOM) is None
        await backend.commit(make_birth())
        assert await backend.heads([ROOM]) == {ROOM: BORN}


async def test_calls_recover_after_errors(own_server: Server) -> None:
    async with connect(own_server.url) as backend:
        own_server.kill()
        with pytest.raises(BackendUnavailable):
            await backend.load(ROOM)
        with pytest.raises(BackendUnavailable):
            await backend.commit(make_birth())
        own_server.start()
        await backend.commit(make_birth())
        assert await backend.heads([ROOM]) == {ROOM: BORN}


async def test_a_server_that_is_not_there_cannot_be_opened(own_server: Server) -> None:
    own_server.kill()
    backend = RedisBackend(own_server.url)
    with pytest.raises(BackendUnavailable) as unavailable:
        await backend.open()
    assert unavailable.value.address == own_server.address
    own_server.start()
    await backend.open()
    await backend.close()


async def test_commits_under_way_when_the_server_dies_fail_as_ours(own_server: Server) -> None:
    async with connect(own_server.url) as backend:
        await backend.commit(make_birth())
        births = [asyncio.ensure_future(backend.commit(make_birth(f"c:{i}"))) for i in range(2000)]
        await wait_for_flush(backend, 3)
        own_server.kill()
        outcomes = await asyncio.gather(*births, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {
            type(None),
            OutcomeUnknown,
            BackendUnavailable,
        }
        assert BackendUnavailable in {type(outcome) for outcome in outcomes}


# -- a server that stands still ------------------------------------------------------------------


async def test_a_frozen_server_leaves_writes_unknown_and_reads_unavailable(
    own_server: Server,
) -> None:
    async with connect(own_server.url, timeout=SHORT) as backend:
        await backend.commit(make_birth())
        await backend.load(ROOM)
        own_server.freeze()
        with pytest.raises(OutcomeUnknown) as unknown:
            await backend.commit(make_step(BORN))
        with pytest.raises(BackendUnavailable) as unavailable:
            await backend.load(ROOM)
        own_server.thaw()
        assert unknown.value.where == unavailable.value.address == own_server.address


async def test_writes_that_wait_behind_a_frozen_server_are_not_applied(own_server: Server) -> None:
    async with connect(own_server.url, timeout=SHORT) as backend:
        await backend.commit(make_birth())
        own_server.freeze()
        sent = asyncio.ensure_future(backend.commit(make_step(BORN)))
        await wait_for_flush(backend, 3)
        waiting = [asyncio.ensure_future(backend.commit(make_birth(f"c:{i}"))) for i in range(5)]
        outcomes = await asyncio.gather(sent, *waiting, return_exceptions=True)
        own_server.thaw()
        assert [type(outcome) for outcome in outcomes] == [
            OutcomeUnknown,
            *[BackendUnavailable] * 5,
        ]
        assert await backend.heads([f"c:{i}" for i in range(5)]) == {}


async def wait_for_flush(backend: RedisBackend, number: int) -> None:
    for _ in range(100):
        if backend.statistics()["writes"]["flushes"] == number:
            return
        await asyncio.sleep(0)
    raise AssertionError("no such flush")


async def test_answers_are_never_mixed_up_after_a_silence(own_server: Server) -> None:
    async with connect(own_server.url, timeout=LONG_ENOUGH) as backend:
        births = [make_birth(f"c:{i}", epoch=f"e{i}") for i in range(250)]
        for i in range(0, 250, 25):
            await asyncio.gather(*map(backend.commit, births[i : i + 25]))
        own_server.freeze()
        lost = [backend.load("c:1"), backend.heads(["c:2"]), backend.commit(make_birth("lost"))]
        await asyncio.gather(*lost, return_exceptions=True)
        own_server.thaw()
        for i in range(0, 250, 25):
            await asyncio.gather(*(check_own_answers(backend, j) for j in range(i, i + 25)))


async def test_answers_are_never_mixed_up_after_cancelled_calls(
    redis_backend: RedisBackend,
) -> None:
    births = [make_birth(f"c:{i}", epoch=f"e{i}") for i in range(250)]
    await asyncio.gather(*map(redis_backend.commit, births))
    for turns in range(8):
        calls: list[asyncio.Future[object]] = []
        for i in range(20):
            calls.append(asyncio.ensure_future(redis_backend.load(f"c:{i}")))
            calls.append(asyncio.ensure_future(redis_backend.heads([f"c:{i}"])))
        for _ in range(turns):
            await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.gather(*(check_own_answers(redis_backend, i) for i in range(30)))


async def check_own_answers(backend: RedisBackend, i: int) -> None:
    """Make four kinds of calls for one context, and see that each got its own answer."""
    born = Position(f"e{i}", 1)
    loaded, heads = await asyncio.gather(backend.load(f"c:{i}"), backend.heads([f"c:{i}"]))
    assert loaded
    assert (loaded.context_id, loaded.position) == (f"c:{i}", born)
    assert heads == {f"c:{i}": born}
    await backend.acquire(f"c:{i}", f"owner {i}", ttl=9.0, address="", fresh_epoch=None)
    listed = await backend.list(f"c:{i}", None, 1)
    assert [summary.context_id for summary in listed] == [f"c:{i}"]


async def test_a_cancelled_commit_disturbs_no_other(redis_backend: RedisBackend) -> None:
    commits = [asyncio.ensure_future(redis_backend.commit(make_birth(f"c:{i}"))) for i in range(40)]
    await asyncio.sleep(0)
    for commit in commits[::2]:
        commit.cancel()
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert outcomes[1::2] == [None] * 20
    kept = await redis_backend.heads([f"c:{i}" for i in range(1, 40, 2)])
    assert len(kept) == 20


# -- a reply that is lost ------------------------------------------------------------------------


async def test_a_commit_whose_reply_is_lost_is_unknown_and_applied_once(server: Server) -> None:
    async with Proxy(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}") as backend:
        await clear(backend)
        await backend.commit(make_birth())
        proxy.lose_next_reply()
        with pytest.raises(OutcomeUnknown):
            await backend.commit(make_step(BORN))
        stored = await backend.load(ROOM)
        assert stored
        assert [entry.version for entry in stored.entries] == [1, 2]
        assert proxy.lost == 1


async def test_all_commits_of_a_flush_whose_replies_are_lost_are_unknown(server: Server) -> None:
    async with Proxy(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}") as backend:
        await clear(backend)
        await backend.commit(make_birth())
        proxy.lose_next_reply()
        births = [backend.commit(make_birth(f"c:{i}")) for i in range(20)]
        outcomes = await asyncio.gather(*births, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {OutcomeUnknown}
        assert len(await backend.heads([f"c:{i}" for i in range(20)])) == 20


async def test_a_read_whose_reply_is_lost_is_sent_again(server: Server) -> None:
    async with Proxy(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}") as backend:
        await clear(backend)
        await backend.commit(make_birth())
        await backend.load(ROOM)
        proxy.lose_next_reply()
        assert await backend.heads([ROOM]) == {ROOM: BORN}
        assert proxy.lost == 1


async def clear(backend: RedisBackend) -> None:
    """Delete what the test before left in the common namespace."""
    ids = [ROOM, *(f"c:{i}" for i in range(250))]
    for context_id, position in (await backend.heads(ids)).items():
        await backend.commit(make_death(position, context_id))


# -- a server that refuses -----------------------------------------------------------------------


async def test_a_full_server_refuses_writes_and_changes_nothing(
    own_server: Server, own_client: redis.Redis
) -> None:
    async with connect(own_server.url) as backend:
        await backend.commit(make_birth(op_ids=("a",)))
        before = await backend.load(ROOM, operations=None)
        own_client.config_set("maxmemory", "1")
        for batch in (make_step(BORN, op_ids=("b",)), make_birth("other")):
            with pytest.raises(BackendUnavailable, match="maxmemory"):
                await backend.commit(batch)
        with pytest.raises(BackendUnavailable, match="maxmemory"):
            await backend.acquire(ROOM, "ana", ttl=1.0, address="", fresh_epoch="e2")
        assert await backend.load(ROOM, operations=None) == before
        assert await backend.heads(["other"]) == {}
        own_client.config_set("maxmemory", "0")
        await backend.commit(make_step(BORN, op_ids=("b",)))


async def test_a_replica_refuses_writes_until_it_is_promoted(
    own_server: Server, own_client: redis.Redis
) -> None:
    async with connect(own_server.url) as backend:
        await backend.commit(make_birth())
        own_client.replicaof("127.0.0.1", "1")
        with pytest.raises(BackendUnavailable, match="read only"):
            await backend.commit(make_step(BORN))
        own_client.replicaof("NO", "ONE")
        await backend.commit(make_step(BORN))
        assert await backend.heads([ROOM]) == {ROOM: walk(BORN, 1)}


async def test_a_wrong_password_cannot_be_opened(redis_server: Server) -> None:
    backend = RedisBackend(redis_server.url.replace("//", "//ana:wrong-secret@"))
    with pytest.raises(BackendUnavailable) as unavailable:
        await backend.open()
    assert unavailable.value.address == redis_server.address
    assert "wrong-secret" not in str(unavailable.value)


async def test_user_password_and_database_are_taken_from_the_url(
    own_server: Server, own_client: redis.Redis
) -> None:
    own_client.acl_setuser(
        "ana", enabled=True, passwords=["+p@ss/word"], keys=["*"], categories=["+@all"]
    )
    async with connect(f"redis://ana:p%40ss%2Fword@127.0.0.1:{own_server.port}/3") as backend:
        await backend.commit(make_birth())
        assert backend.address.endswith(f":{own_server.port}/3")
    assert own_client.dbsize() == 0
    assert own_client.info("keyspace")["db3"]["keys"] > 0


async def test_a_unix_socket_will_do(redis_server: Server) -> None:
    async with connect(f"unix://{redis_server.socket_path}") as backend:
        assert await backend.heads(["nobody"]) == {}
        assert backend.address == f"{redis_server.socket_path}/0"


async def test_another_loop_may_not_use_it(redis_backend: RedisBackend) -> None:
    with pytest.raises(WrongLoop):
        await asyncio.to_thread(lambda: asyncio.run(redis_backend.heads([ROOM])))


async def test_another_process_may_not_use_it(
    redis_backend: RedisBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.getpid", lambda: 1)
        with pytest.raises(WrongLoop):
            await redis_backend.commit(make_birth())


async def test_calls_made_together_share_a_flush(redis_backend: RedisBackend) -> None:
    await redis_backend.load(ROOM)
    before = redis_backend.statistics()["reads"]
    await asyncio.gather(*(redis_backend.load(ROOM) for _ in range(100)))
    after = redis_backend.statistics()["reads"]
    assert (after["calls"] - before["calls"], after["flushes"] - before["flushes"]) == (100, 1)


@pytest.mark.parametrize(
    "url",
    ["http://host", "redis://:pass/word@host/0", "redis://host?no_such_option=1", "redis://host:x"],
)
def test_a_bad_url_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_url(url, 1.0)
    assert "pass" not in str(error.value).replace("in a password", "")


def test_the_address_tells_no_password() -> None:
    _, address = read_url("rediss://ana:secret@example.org:6390/2", 1.0)
    assert address == "example.org:6390/2"
