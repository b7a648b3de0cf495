"""The JavaScript client in a real browser, against a real server."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import attrs
import pytest
from starlette.requests import HTTPConnection

from chord import REMOVE, Append, StatelessChord
from chord.web.door import Door
from chord.web.gate import ANYONE
from chord.web.limits import Limits
from tests.web.browsing import Tab, browsing, make_site, serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.browser]

ROOM: Final = "room:1"
ROOMY: Final = Limits(rate=10_000.0, burst=10_000.0, heartbeat=1000.0)

WATCH: Final = """
options => {
  window.client = chord.connect("/chord/ws", options);
  window.room = client.watch("room:1");
  window.changes = [];
  window.errors = [];
  room.on("change", ({ reply }) => changes.push(reply));
  room.on("error", ({ code }) => errors.push(code));
}
"""

WATCH_OVER_A_ROUGH_LINE: Final = """
seed => {
  window.line = rough.makeRough(rough.chance(seed));
  const options = { WebSocket: line.WebSocket, clock: rough.hasten(20) };
  window.client = chord.connect("/chord/ws", options);
  window.room = client.watch("room:1");
  window.changes = [];
  room.on("change", ({ reply }) => changes.push(reply));
}
"""


@attrs.frozen
class Site:
    runtime: StatelessChord
    door: Door
    address: str

    async def update(self, changes: dict[str, Any]) -> None:
        await self.runtime.update_context(ROOM, changes)

    async def state(self) -> dict[str, Any]:
        return dict((await self.runtime.get_context(ROOM)).state)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with StatelessChord.open("memory://") as runtime:
        await runtime.set_context(ROOM, {"n": 0, "log": []})
        door = Door(runtime, open_to_all=True, limits=ROOMY)
        async with serving(make_site(door)) as address:
            yield Site(runtime, door, address)
            door.close()


@pytest.fixture
async def tab(site: Site) -> AsyncIterator[Tab]:
    async with browsing(site.address) as tab:
        yield tab
        assert tab.complaints == []


async def equals(tab: Tab, state: dict[str, Any]) -> None:
    """Wait until the room's state in the page is this one."""
    await tab.wait("state => chord.equal(room.state, state)", state)


async def test_a_page_and_the_server_see_what_the_other_writes(site: Site, tab: Tab) -> None:
    await tab.run(WATCH)
    await equals(tab, {"n": 0, "log": []})
    await site.update({"n": 1, "people": {"ana": {}}})
    await equals(tab, {"n": 1, "log": [], "people": {"ana": {}}})
    commit = await tab.run(
        "() => room.update({n: chord.increment(), people: chord.REMOVE, log: chord.append('a')})"
    )
    assert commit["changed"] is True
    assert await site.state() == {"n": 2, "log": ["a"]}
    await equals(tab, {"n": 2, "log": ["a"]})


async def test_a_socket_that_was_dropped_resumes_by_a_delta(site: Site, tab: Tab) -> None:
    await tab.run(WATCH_OVER_A_ROUGH_LINE, 1)
    await equals(tab, {"n": 0, "log": []})
    await tab.run("() => { line.fate.down = true; line.cut(); }")
    await site.update({"n": 1})
    await site.update({"log": Append(["while it was away"])})
    await tab.run("() => { line.fate.down = false; }")
    await equals(tab, {"n": 1, "log": ["while it was away"]})
    assert await tab.run("changes") == ["full", "delta"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_over_a_rough_line_a_page_comes_to_equal_the_server(
    site: Site, tab: Tab, seed: int
) -> None:
    await tab.run(WATCH_OVER_A_ROUGH_LINE, seed)
    await equals(tab, {"n": 0, "log": []})
    await tab.run("() => { Object.assign(line.fate, {loss: 0.2, repeat: 0.2, delay: 0.05}); }")
    for step in range(150):
        await site.update({"n": step, "log": Append([step]), "odd": step if step % 2 else REMOVE})
        await tab.run("step => { room.update({mine: {[step]: 1}}); }", step)
        if step % 50 == 49:
            await tab.run("() => line.cut()")
    await tab.run("() => { Object.assign(line.fate, {loss: 0, repeat: 0, delay: 0}); }")
    await tab.wait("client.waiting === 0")
    state = await site.state()
    assert len(state["mine"]) == 150
    await equals(tab, state)
    lost, _, twice = await tab.run("line.carried")
    assert lost > 0
    assert twice > 0


async def test_what_is_written_offline_arrives_once(site: Site, tab: Tab) -> None:
    await tab.run(WATCH_OVER_A_ROUGH_LINE, 1)
    await equals(tab, {"n": 0, "log": []})
    await tab.run("() => { line.fate.down = true; line.cut(); }")
    await tab.run("""
        () => {
          for (let step = 0; step < 20; step += 1) {
            room.update({ n: chord.increment(), log: chord.append(step) }, { optimistic: true });
          }
        }
    """)
    assert await tab.run("[room.state.n, client.waiting]") == [20, 20]
    assert (await site.state())["n"] == 0
    await tab.run("() => { line.fate.down = false; }")
    await tab.wait("client.waiting === 0 && room.pending === 0")
    assert await site.state() == {"n": 20, "log": list(range(20))}
    await equals(tab, {"n": 20, "log": list(range(20))})


async def test_what_was_written_and_not_acknowledged_arrives_once(site: Site, tab: Tab) -> None:
    await tab.run(WATCH_OVER_A_ROUGH_LINE, 1)
    await equals(tab, {"n": 0, "log": []})
    await tab.run("""
        async () => {
          for (let step = 0; step < 20; step += 1) room.update({ n: chord.increment() });
          await new Promise(requestAnimationFrame);
          line.cut();
        }
    """)
    await tab.wait("client.waiting === 0")
    assert (await site.state())["n"] == 20
    await equals(tab, {"n": 20, "log": []})


LEAVES: Final[dict[str, Any]] = {
    "decimal": Decimal("9.90"),
    "uuid": UUID(int=7),
    "moments": [date(2030, 1, 2), datetime(2030, 1, 2, 12, tzinfo=UTC)],
    "bytes": bytes(range(256)),
    "int": 2**80,
    "float": float("inf"),
    "nan": float("nan"),
    "text": "a\u00e9\u4e2d\U0001f600\u2028\x00",
    "__proto__": {"polluted": True, "constructor": {"prototype": {"polluted": True}}},
}


async def test_a_page_gives_back_what_it_was_given(site: Site, tab: Tab) -> None:
    await site.update(LEAVES)
    await tab.run(WATCH)
    await tab.wait("room.state !== null")
    commit = await tab.run("() => room.set(room.state)")
    assert commit["changed"] is False
    assert await tab.run("String(room.state.decimal)") == "9.90"
    assert await tab.run("room.state.int === 2n ** 80n")
    assert await tab.run("btoa(String.fromCharCode(...room.state.bytes))") == (
        base64.b64encode(bytes(range(256))).decode()
    )
    assert await tab.run("({}).polluted === undefined")


async def test_a_context_that_is_deleted_is_told_of(site: Site, tab: Tab) -> None:
    await tab.run(WATCH)
    await equals(tab, {"n": 0, "log": []})
    await site.runtime.delete_context(ROOM)
    await tab.wait("room.status === 'ended' && room.state === null")
    await tab.run("() => room.set({anew: true})")
    await equals(tab, {"anew": True})


async def test_a_stream_of_events_resumes_where_it_was(site: Site, tab: Tab) -> None:
    await tab.run("""
        () => {
          window.room = new chord.Replica();
          window.names = [];
          window.source = new EventSource("/chord/contexts/room%3A1/events");
          for (const name of ["full", "delta", "current", "deleted"]) {
            source.addEventListener(name, ({ data, lastEventId }) => {
              names.push(name);
              room.receive(JSON.parse(data));
              if (room.position !== lastEventId) throw new Error(`${lastEventId} is not there`);
            });
          }
        }
    """)
    await equals(tab, {"n": 0, "log": []})
    await site.update({"n": 1})
    await equals(tab, {"n": 1, "log": []})
    await site.door.disconnect(ANYONE)
    await site.update({"n": 2})
    await equals(tab, {"n": 2, "log": []})
    assert await tab.run("names") == ["full", "delta", "delta"]
    await tab.run("() => source.close()")


def read_token(connection: HTTPConnection) -> str | None:
    """The name that a page said as its token, as an application's own hook would."""
    for name in connection.scope["subprotocols"]:
        if name.startswith("chord.token."):
            text = name.removeprefix("chord.token.")
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    return None


@pytest.fixture
async def guarded() -> AsyncIterator[Site]:
    async with StatelessChord.open("memory://") as runtime:
        await runtime.set_context(ROOM, {"n": 0})
        door = Door(
            runtime,
            authenticate=read_token,
            authorize=lambda who, action, context_id: who == "ana\u00e9" and action == "read",
        )
        async with serving(make_site(door)) as address:
            yield Site(runtime, door, address)
            door.close()


async def test_a_page_is_let_in_by_its_token(guarded: Site) -> None:
    async with browsing(guarded.address) as tab:
        await tab.run(WATCH, {"token": "ana\u00e9"})
        await equals(tab, {"n": 0})
        refused = await tab.run("() => room.update({n: 1}).catch(({ code }) => code)")
        assert refused == "forbidden"
        assert (await guarded.state())["n"] == 0
        await guarded.door.disconnect("ana\u00e9")
        await tab.wait("client.status === 'closed' && room.status === 'ended'")
        assert tab.complaints == []


async def test_a_page_without_credentials_is_told_so(guarded: Site) -> None:
    async with browsing(guarded.address) as tab:
        await tab.run(WATCH)
        await tab.wait("client.status === 'closed'")
        outcome = await tab.run("() => room.ready.catch(({ code }) => code)")
        assert outcome == "unauthenticated"
        await tab.run(WATCH, {"token": "bo"})
        await tab.wait("errors.length > 0")
        assert await tab.run("errors[0]") == "forbidden"
        assert tab.complaints == []
