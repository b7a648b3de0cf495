/** What is written, and that it is done once, whatever becomes of the connection. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { REMOVE, append, increment } from "../../../chord/web/static/chord.mjs";
import { ROOM, makeWorld, outcome, plain } from "./world.mjs";

test("a write answers with where it came to, and whether anything changed", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1, old: 1 } });
  const write = chord.update(ROOM, { n: increment(2), old: REMOVE, log: append("a") });
  await clock.pass(1);
  assert.deepEqual(await write, { position: "e1:2", changed: true });
  assert.deepEqual(server.state(ROOM), { n: 3, log: ["a"] });
});

test("what the caller may want is sent along, and nothing else", async () => {
  const { chord, clock, server } = makeWorld();
  const options = { opId: "mine", expected: 0, create: { n: 1 }, timeout: 2 };
  chord.update(ROOM, { n: 2 }, options);
  await clock.pass(1);
  const { ref, ...said } = server.heard[0];
  assert.deepEqual(said, {
    type: "update",
    context: ROOM,
    changes: { n: 2 },
    create: { n: 1 },
    expected: 0,
    op: "mine",
    timeout: 2,
  });
});

test("what is ephemeral has no name, as what has one is not coalesced", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  chord.update(ROOM, { at: [1, 2] }, { ephemeral: true });
  await clock.pass(1);
  assert.equal(server.heard[0].ephemeral, true);
  assert.equal("op" in server.heard[0], false);
});

test("a write is what it was when it was asked for", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  const mine = { people: { ana: { typing: true } } };
  chord.update(ROOM, mine);
  mine.people.ana.typing = false;
  await clock.pass(1);
  assert.deepEqual(server.state(ROOM), { people: { ana: { typing: true } } });
});

test("a refusal tells its code and what the server told with it", async () => {
  const { chord, clock } = makeWorld({ state: {} });
  const refused = outcome(chord.set(ROOM, {}, { expected: "e1:7" }));
  await clock.pass(1);
  const error = await refused;
  assert.equal(error.name, "ChordError");
  assert.deepEqual([error.code, error.applied, error.actual], ["conflict", false, "e1:1"]);
});

test("what cannot be said is refused before it is sent", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  await assert.rejects(chord.update(ROOM, { at: new Date(0) }), TypeError);
  await assert.rejects(chord.set(ROOM, [1]), TypeError);
  await assert.rejects(chord.set(ROOM, { n: increment() }), TypeError);
  await assert.rejects(chord.watch(ROOM).update({ a: undefined }), TypeError);
  await clock.pass(1);
  assert.deepEqual(server.runs, []);
});

test("a context is read, deleted, and called", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const asked = [chord.get(ROOM), room.call("roll", 6, { of: 10n ** 20n }), room.delete()];
  await clock.pass(1);
  const [read, value, gone] = await Promise.all(asked);
  assert.deepEqual(plain(read), { state: { n: 1 }, position: "e1:1" });
  assert.deepEqual(plain(value), [6, { of: String(10n ** 20n) }]);
  assert.deepEqual(gone, { position: null, changed: true });
  assert.equal(server.state(ROOM), null);
});

test("what is written without a connection is written once there is one, in order", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { log: [] } });
  await clock.pass(1);
  network.down = true;
  network.cut();
  const writes = [1, 2, 3].map((n) => chord.update(ROOM, { log: append(n) }));
  await clock.pass(5);
  network.down = false;
  await clock.pass(20);
  await Promise.all(writes);
  assert.deepEqual(server.state(ROOM), { log: [1, 2, 3] });
  assert.equal(new Set(server.runs).size, 3);
});

test("a write whose answer was lost is sent again, and done once", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 0 } });
  await clock.pass(1);
  const write = chord.update(ROOM, { n: increment() });
  await clock.pass(0.0015);
  assert.equal(server.state(ROOM).n, 1);
  network.cut();
  await clock.pass(5);
  assert.deepEqual(await write, { position: "e1:2", changed: true });
  assert.equal(server.heard.filter(({ type }) => type === "update").length, 2);
  assert.equal(server.state(ROOM).n, 1);
});

test("a call whose answer was lost is not made again", async () => {
  const { chord, clock, network, server } = makeWorld({ state: {} });
  await clock.pass(1);
  const call = outcome(chord.call(ROOM, "pay"));
  await clock.pass(0.0015);
  network.cut();
  await clock.pass(5);
  const error = await call;
  assert.deepEqual([error.code, error.applied], ["unknown-outcome", null]);
  assert.deepEqual(server.runs, ["pay"]);
});

test("a call that was not sent yet is made once there is a connection", async () => {
  const { chord, clock, network, server } = makeWorld({ state: {} });
  network.down = true;
  const call = chord.call(ROOM, "pay", 1);
  await clock.pass(5);
  network.down = false;
  await clock.pass(20);
  assert.deepEqual(plain(await call), [1]);
  assert.deepEqual(server.runs, ["pay"]);
});

test("a write whose name the server may have forgotten is not sent again", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 0 } });
  await clock.pass(1);
  const write = outcome(chord.update(ROOM, { n: increment() }));
  await clock.pass(0.0015);
  network.down = true;
  network.cut();
  await clock.pass(300);
  network.down = false;
  await clock.pass(60);
  const error = await write;
  assert.deepEqual([error.code, error.applied], ["unknown-outcome", null]);
  assert.equal(server.state(ROOM).n, 1);
});

test("a write is not sent again for longer than the server knows its name", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  await clock.pass(1);
  server.mute = true;
  const write = outcome(chord.update(ROOM, { a: 1 }));
  for (let nth = 0; nth < 20; nth += 1) {
    server.ping();
    await clock.pass(15);
  }
  assert.equal((await write).code, "unknown-outcome");
  assert.equal(server.heard.filter(({ type }) => type === "update").length, 25);
});

test("the queue has an end", async () => {
  const { chord, network } = makeWorld({ state: {}, queue: 2 });
  network.down = true;
  const first = [chord.update(ROOM, { a: 1 }), chord.update(ROOM, { b: 1 })].map(outcome);
  await assert.rejects(chord.update(ROOM, { c: 1 }), { code: "overloaded", applied: false });
  assert.equal(chord.waiting, 2);
  chord.close();
  for (const error of await Promise.all(first)) {
    assert.deepEqual([error.code, error.applied], ["closed", false]);
  }
});

test("what was sent and has no answer may have been done, when the client is closed", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  await clock.pass(1);
  server.mute = true;
  const write = outcome(chord.update(ROOM, { a: 1 }));
  await clock.pass(1);
  chord.close();
  assert.equal((await write).applied, null);
});

test("a write that was refused for now is sent again", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.refusal = () => ["overloaded", { retry_after: 2 }];
  const write = chord.update(ROOM, { n: increment() });
  await clock.pass(1);
  server.refusal = null;
  await clock.pass(5);
  assert.equal((await write).changed, true);
  assert.equal(server.state(ROOM).n, 1);
});

for (const code of ["overloaded", "closing"]) {
  test(`a write that was not done has as much time as it had at first: ${code}`, async () => {
    const { chord, clock, server } = makeWorld({ state: { n: 0 } });
    server.refusal = () => [code, { retry_after: 100 }];
    const write = chord.update(ROOM, { n: increment() });
    for (let nth = 0; nth < 20; nth += 1) {
      server.ping();
      await clock.pass(15);
    }
    server.refusal = null;
    for (let nth = 0; nth < 10; nth += 1) {
      server.ping();
      await clock.pass(15);
    }
    assert.equal((await write).changed, true);
  });
}

test("a write that waits for the server to come back is not given up", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.refusal = () => ["closing", {}];
  const write = chord.update(ROOM, { n: increment() });
  for (let nth = 0; nth < 40; nth += 1) {
    server.ping();
    await clock.pass(15);
  }
  server.refusal = null;
  await clock.pass(20);
  assert.equal((await write).changed, true);
});

test("a write that nobody can tell about is sent again under the same name", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.refusal = () => ["unknown-outcome", { applied: null }];
  chord.update(ROOM, { n: increment() });
  await clock.pass(1);
  server.refusal = null;
  await clock.pass(5);
  const ops = server.heard.filter(({ type }) => type === "update").map(({ op }) => op);
  assert.ok(ops.length > 1);
  assert.equal(new Set(ops).size, 1);
});

test("a server that goes on refusing is believed in the end", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.refusal = () => ["overloaded", {}];
  const write = outcome(chord.update(ROOM, { n: 1 }));
  for (let nth = 0; nth < 10; nth += 1) {
    server.ping();
    await clock.pass(20);
  }
  assert.equal((await write).code, "overloaded");
  assert.ok(server.heard.length < 20);
});

test("a message that is too large is refused here", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  server.limits = { max_message: 300 };
  await clock.pass(1);
  const write = outcome(chord.update(ROOM, { text: "\u00e9".repeat(150) }));
  await clock.pass(1);
  assert.deepEqual([(await write).code, (await write).applied], ["too-large", false]);
  assert.deepEqual(server.heard, []);
});

test("a message that ends the connection by its size is not sent again", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  await clock.pass(1);
  server.mute = true;
  const large = outcome(chord.update(ROOM, { text: "x".repeat(1000) }));
  const small = chord.update(ROOM, { text: "y" });
  await clock.pass(1);
  server.mute = false;
  server.closeAll(1009);
  await clock.pass(5);
  assert.equal((await large).code, "too-large");
  assert.equal((await small).changed, true);
});

/** A write that was done, and whose answer was lost with the connection. */
async function unheard(world) {
  const { chord, clock, network } = world;
  await clock.pass(1);
  const write = outcome(chord.update(ROOM, { n: increment() }));
  await clock.pass(0.0015);
  network.cut();
  return write;
}

test("a write that is refused when it is sent again may have been done at first", async () => {
  const world = makeWorld({ state: { n: 0 } });
  const write = unheard(world);
  await world.clock.pass(1.01);
  world.server.refusal = () => ["forbidden", {}];
  await world.clock.pass(5);
  const error = await write;
  assert.equal(world.server.state(ROOM).n, 1);
  assert.deepEqual([error.code, error.applied], ["forbidden", null]);
});

test("a write that is put off when it is sent again may have been done at first", async () => {
  const world = makeWorld({ state: { n: 0 } });
  const write = unheard(world);
  await world.clock.pass(1.01);
  world.server.refusal = () => ["overloaded", { retry_after: 60 }];
  await world.clock.pass(5);
  world.chord.close();
  assert.equal((await write).applied, null);
});

test("a refusal of what was sent again gives it no more time", async () => {
  const world = makeWorld({ state: { n: 0 } });
  const { clock, server } = world;
  const write = unheard(world);
  await clock.pass(1.01);
  server.refusal = () => ["overloaded", { retry_after: 100 }];
  await clock.pass(250);
  server.refusal = null;
  server.contexts.get(ROOM).ops.clear();
  await clock.pass(200);
  assert.equal((await write).code, "unknown-outcome");
  assert.equal(server.state(ROOM).n, 1);
});

test("a write grows older while the machine sleeps", async () => {
  const world = makeWorld({ state: { n: 0 } });
  const { clock, server } = world;
  const write = unheard(world);
  await clock.pass(1.01);
  clock.sleep(3600);
  server.contexts.get(ROOM).ops.clear();
  await clock.pass(5);
  assert.equal((await write).code, "unknown-outcome");
  assert.equal(server.state(ROOM).n, 1);
});

test("a clock that is set back gives a write no more time", async () => {
  const world = makeWorld({ state: { n: 0 } });
  const write = unheard(world);
  await world.clock.pass(1.01);
  world.network.down = true;
  world.clock.sleep(-3600);
  await world.clock.pass(300);
  world.network.down = false;
  await world.clock.pass(60);
  assert.equal((await write).code, "unknown-outcome");
});

test("a message of a kind that is not known answers nothing", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  await clock.pass(1);
  const write = chord.update(ROOM, { n: 1 });
  server.push({ type: "progress", ref: 1, percent: 10 });
  await clock.pass(1);
  assert.deepEqual(await write, { position: "e1:2", changed: true });
});

test("a write that is answered as it waits to be said again is said once more", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 0 } });
  server.limits = { rate: 1, burst: 1 };
  await clock.pass(1);
  server.mute = true;
  const write = chord.update(ROOM, { n: 1 }, { opId: "mine" });
  for (let nth = 0; nth < 20; nth += 1) outcome(chord.update(ROOM, { m: nth }));
  await clock.pass(12);
  const [socket] = network.sockets;
  const { ref } = socket.sent.find(({ op }) => op === "mine");
  socket.take(JSON.stringify({ type: "done", ref, position: "e1:2", changed: true }));
  server.mute = false;
  for (let nth = 0; nth < 10; nth += 1) {
    server.ping();
    await clock.pass(15);
  }
  assert.equal((await write).changed, true);
  assert.ok(socket.sent.filter(({ op }) => op === "mine").length <= 2);
});

test("a refusal does not tell of a sending that nobody could tell about", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.refusal = () => ["unknown-outcome", { applied: null }];
  const write = outcome(chord.update(ROOM, { n: increment() }));
  await clock.pass(0.01);
  server.refusal = () => ["forbidden", {}];
  await clock.pass(5);
  assert.deepEqual([(await write).code, (await write).applied], ["forbidden", null]);
});
