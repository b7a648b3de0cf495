/** What is seen of writes that the server has not answered yet, and what becomes of that. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { append, increment } from "../../../chord/web/static/chord.mjs";
import { ROOM, collect, makeWorld, outcome, plain, watches } from "./world.mjs";

const optimistic = true;

async function watching(state, options) {
  const world = makeWorld({ state, ...options });
  const room = world.chord.watch(ROOM);
  await world.clock.pass(1);
  return { ...world, room, changes: collect(room, "change") };
}

test("an optimistic write is seen at once, and until the server has told of it", async () => {
  const { clock, room } = await watching({ n: 1 });
  const write = room.update({ n: increment() }, { optimistic });
  assert.deepEqual(plain(room.state), { n: 2 });
  assert.equal(room.pending, 1);
  await clock.pass(0.01);
  assert.equal((await write).changed, true);
  assert.deepEqual(plain(room.state), { n: 2 });
  assert.equal(room.pending, 0);
});

test("a plain value that was written optimistically is told of once", async () => {
  const { clock, room, changes } = await watching({ a: 1 });
  room.update({ a: 2 }, { optimistic });
  await clock.pass(1);
  assert.deepEqual(changes.map(({ reply }) => reply), [null]);
  assert.deepEqual(plain(changes[0].changes), { a: ["m", 2] });
});

test("an optimistic write stands upon what others wrote meanwhile", async () => {
  const { clock, room, server } = await watching({ a: 1, b: 1 });
  server.update(ROOM, { a: 2 });
  room.update({ b: 2 }, { optimistic });
  assert.deepEqual(plain(room.state), { a: 1, b: 2 });
  await clock.pass(0.0012);
  assert.deepEqual(plain(room.state), { a: 2, b: 2 });
  assert.equal(room.pending, 1);
  await clock.pass(1);
  assert.deepEqual(plain(room.state), { a: 2, b: 2 });
  assert.equal(room.pending, 0);
});

test("an optimistic write that is refused is taken back, and the later ones stay", async () => {
  const { clock, room, server } = await watching({ n: 1 });
  server.refusal = () => ["forbidden", {}];
  const refused = outcome(room.update({ n: 5 }, { optimistic }));
  await clock.pass(0.0012);
  server.refusal = null;
  room.update({ m: 1 }, { optimistic });
  assert.deepEqual(plain(room.state), { n: 5, m: 1 });
  await clock.pass(0.0012);
  assert.equal((await refused).code, "forbidden");
  assert.deepEqual(plain(room.state), { n: 1, m: 1 });
  await clock.pass(1);
  assert.deepEqual(plain(room.state), { n: 1, m: 1 });
});

test("an optimistic sum of whole numbers is exact, however large", async () => {
  const { room, chord } = await watching({ n: 1, half: 0.5 });
  const write = outcome(room.update({ n: increment(2n ** 60n) }, { optimistic }));
  assert.equal(room.state.n, 2n ** 60n + 1n);
  room.update({ half: increment(1) }, { optimistic }).catch(() => {});
  assert.equal(room.state.half, 1.5);
  chord.close();
  await write;
});

test("optimistic writes without a connection are seen, and arrive", async () => {
  const { clock, network, room, server } = await watching({ log: [] });
  network.down = true;
  network.cut();
  room.update({ log: append(1) }, { optimistic });
  room.set({ log: ["anew"] }, { optimistic });
  room.update({ log: append(2) }, { optimistic });
  await clock.pass(3);
  assert.deepEqual(plain(room.state), { log: ["anew", 2] });
  network.down = false;
  await clock.pass(60);
  assert.deepEqual(server.state(ROOM), { log: ["anew", 2] });
  assert.deepEqual(plain(room.state), { log: ["anew", 2] });
  assert.equal(room.pending, 0);
});

test("an optimistic write that does not fit is not seen, and the server has its say", async () => {
  const { clock, room, changes, server } = await watching({ log: "text" });
  server.refusal = () => ["invalid", {}];
  const refused = outcome(room.update({ log: append(1) }, { optimistic }));
  assert.deepEqual(plain(room.state), { log: "text" });
  await clock.pass(1);
  assert.equal((await refused).code, "invalid");
  assert.equal(changes.length, 0);
});

test("a context may begin with an optimistic write", async () => {
  const { chord, clock } = makeWorld();
  const room = chord.watch(ROOM);
  room.update({ n: increment() }, { optimistic, create: { n: 1 } });
  assert.deepEqual(plain(room.state), { n: 2 });
  await clock.pass(5);
  assert.deepEqual(plain(room.state), { n: 2 });
  assert.equal(room.pending, 0);
  assert.equal(room.status, "live");
});

test("a write that was acknowledged, and comes only with later ones, is shown once", async () => {
  const { clock, network, room, server } = await watching({ n: 0 });
  room.update({ n: increment() }, { optimistic });
  await clock.pass(0.0011);
  const push = network.sockets[0].onmessage;
  const held = [];
  network.sockets[0].onmessage = (event) => held.push(event); // the acknowledgement comes first
  server.update(ROOM, { m: 1 });
  await clock.pass(0.01);
  const [, done, last] = held;
  assert.deepEqual(
    held.map(({ data }) => JSON.parse(data).type),
    ["delta", "done", "delta"],
  );
  network.sockets[0].onmessage = push;
  push(done);
  await clock.pass(0.01);
  assert.equal(room.pending, 1);
  const both = { from: "e1:1", changes: { n: ["m", 1], m: ["a", 1] } };
  push({ data: JSON.stringify({ ...JSON.parse(last.data), ...both }) });
  await clock.pass(0.01);
  assert.equal(room.pending, 0);
  assert.deepEqual(plain(room.state), { n: 1, m: 1 });
});

test("a write that was acknowledged, and of which nothing comes, is asked for", async () => {
  const { clock, network, room, server } = await watching({ n: 0 });
  const write = room.update({ n: increment() }, { optimistic });
  await clock.pass(0.0011);
  const push = network.sockets[0].onmessage;
  network.sockets[0].onmessage = (event) => {
    if (JSON.parse(event.data).type !== "delta") push(event);
  };
  await clock.pass(0.01);
  await write;
  network.sockets[0].onmessage = push;
  assert.equal(room.pending, 1);
  await clock.pass(1);
  assert.equal(room.pending, 0);
  assert.deepEqual(plain(room.state), { n: 1 });
});

test("an append is not seen twice, though its change comes before its answer", async () => {
  const { clock, room, changes } = await watching({ log: [] });
  const write = room.update({ log: append("hi") }, { optimistic });
  await clock.pass(1);
  await write;
  assert.deepEqual(changes.map(({ state }) => plain(state)), [{ log: ["hi"] }]);
});

test("of several writes that add, each is seen once at any time", async () => {
  const { clock, room, server, changes } = await watching({ n: 0, other: 0 });
  for (let nth = 0; nth < 20; nth += 1) {
    room.update({ n: increment() }, { optimistic });
    if (nth % 3 === 0) server.update(ROOM, { other: nth });
    await clock.pass(0.0007);
  }
  await clock.pass(1);
  const sums = changes.map(({ state }) => state.n);
  assert.deepEqual(sums, [...sums].sort((one, other) => one - other));
  assert.equal(Math.max(...sums), 20);
  assert.deepEqual(plain(room.state), { n: 20, other: 18 });
});

test("what others wrote is seen in a moment, though a write that adds has no answer", async () => {
  const { clock, room, server } = await watching({ log: [] });
  server.mute = true;
  room.update({ log: append("mine") }, { optimistic });
  server.update(ROOM, { log: ["theirs"] });
  const before = room.position;
  await clock.pass(0.05);
  assert.deepEqual(plain(room.state), { log: ["mine"] });
  assert.equal(room.position, before);
  await clock.pass(0.1);
  assert.deepEqual(plain(room.state), { log: ["theirs", "mine"] });
  assert.equal(room.position, server.position(ROOM));
});

test("a refusal ends the wait for it: what others wrote is seen", async () => {
  const { clock, room, server } = await watching({ log: [] });
  server.refusal = () => ["forbidden", {}];
  const refused = outcome(room.update({ log: append("mine") }, { optimistic }));
  server.update(ROOM, { log: ["theirs"] });
  await clock.pass(0.003);
  assert.equal((await refused).code, "forbidden");
  assert.deepEqual(plain(room.state), { log: ["theirs"] });
});

test("a room that is closed before the answer to its write asks for nothing more", async () => {
  const { clock, room, server } = await watching({ n: 1 });
  const write = room.update({ n: 2 }, { optimistic });
  room.close();
  await clock.pass(1);
  await write;
  const before = watches(server).length;
  await clock.pass(60);
  assert.equal(watches(server).length, before);
  assert.equal(room.pending, 0);
});
