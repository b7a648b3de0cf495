/** What a watched context is to a page, from its first state to its end. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ROOM, collect, makeWorld, plain, watches } from "./world.mjs";

test("a room goes on where it was when the connection comes back", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const changes = collect(room, "change");
  await clock.pass(1);
  network.cut();
  server.update(ROOM, { n: 2 });
  await clock.pass(2);
  assert.deepEqual(plain(room.state), { n: 2 });
  assert.deepEqual(changes.map(({ reply }) => reply), ["full", "delta"]);
  assert.equal(watches(server)[1].since, "e1:1");
});

test("a room tells of its state as it comes: what changed, and what it was", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1, people: { ana: {} } } });
  const room = chord.watch(ROOM);
  const changes = collect(room, "change");
  await clock.pass(1);
  assert.equal(await room.ready, room);
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.equal(changes.length, 2);
  assert.equal(changes[1].previous, changes[0].state);
  assert.equal(changes[1].state.people, changes[0].state.people);
  assert.deepEqual(plain(changes[1].changes), { n: ["m", 2] });
  assert.equal(room.position, server.position(ROOM));
});

test("the same context is the same room, until it is closed as often", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  assert.equal(chord.watch(ROOM), room);
  await clock.pass(1);
  room.close();
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.deepEqual(plain(room.state), { n: 2 });
  room.close();
  await clock.pass(1);
  assert.equal(room.status, "ended");
  assert.equal(server.heard.at(-1).type, "unwatch");
  assert.notEqual(chord.watch(ROOM), room);
});

test("a context that nobody watches here any more is not listened to", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  chord.watch(ROOM).close();
  await clock.pass(1);
  server.heard.length = 0;
  const stray = { type: "current", context: ROOM, position: "e1:1" };
  network.sockets[0].take(JSON.stringify(stray));
  await clock.pass(1);
  assert.deepEqual(server.heard, [{ type: "unwatch", context: ROOM }]);
});

test("the interval between replies is asked for", async () => {
  const { chord, clock, server } = makeWorld({ state: {} });
  chord.watch(ROOM, { interval: 0.5 });
  await clock.pass(1);
  assert.equal(watches(server)[0].interval, 0.5);
});

test("where there is no such context, a room says so and ends", async () => {
  const { chord, clock } = makeWorld();
  const room = chord.watch(ROOM);
  const errors = collect(room, "error");
  await clock.pass(1);
  assert.equal(errors[0].code, "not-found");
  assert.equal(room.status, "ended");
  await assert.rejects(room.ready, { code: "not-found" });
});

test("a write that makes the context begins the room anew", async () => {
  const { chord, clock } = makeWorld();
  const room = chord.watch(ROOM);
  await clock.pass(1);
  room.set({ n: 1 });
  await clock.pass(1);
  await room.ready;
  assert.deepEqual(plain(room.state), { n: 1 });
  assert.equal(room.status, "live");
});

test("a context that is deleted is told of, and its state is no more", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const [deleted, changes] = [collect(room, "deleted"), collect(room, "change")];
  await clock.pass(1);
  server.delete(ROOM);
  await clock.pass(1);
  assert.equal(deleted.length, 1);
  assert.equal(room.state, null);
  assert.equal(room.position, null);
  assert.deepEqual(plain(changes.at(-1).changes), { n: ["r"] });
});

test("a context that was deleted while the connection was lost is told of, too", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const deleted = collect(room, "deleted");
  await clock.pass(1);
  network.cut();
  server.delete(ROOM);
  await clock.pass(2);
  assert.equal(deleted.length, 1);
  assert.equal(room.status, "ended");
});

test("a context that was made anew meanwhile comes whole", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  network.cut();
  server.delete(ROOM);
  server.set(ROOM, { m: 1 });
  await clock.pass(2);
  assert.deepEqual(plain(room.state), { m: 1 });
});

test("a server that has lost what the room knows is believed", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  for (const n of [2, 3, 4]) server.update(ROOM, { n });
  await clock.pass(1);
  network.cut();
  server.lose(ROOM, 2);
  await clock.pass(2);
  assert.deepEqual(plain(room.state), { n: 2 });
  server.update(ROOM, { n: 5 });
  await clock.pass(1);
  assert.deepEqual(plain(room.state), { n: 5 });
});

test("a watch that the server ends for good ends the room, and tells why", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const errors = collect(room, "error");
  await clock.pass(1);
  server.push({ type: "error", context: ROOM, code: "forbidden", message: "no", applied: false });
  await clock.pass(1);
  assert.equal(errors[0].code, "forbidden");
  assert.equal(room.status, "ended");
  assert.equal(room.state, null);
});

test("a watch that the server ends for now is asked for again", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  const later = { code: "overloaded", message: "later", applied: false, retry_after: 3 };
  server.push({ type: "error", context: ROOM, ...later });
  await clock.pass(2);
  assert.equal(watches(server).length, 1);
  await clock.pass(3);
  assert.equal(watches(server).length, 2);
  assert.equal(room.status, "live");
});

test("a room that hears nothing asks, once in a while, whether it lacks anything", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  network.fate = { ...network.fate, loss: 1 };
  server.update(ROOM, { n: 2 });
  network.fate = { ...network.fate, loss: 0 };
  for (let nth = 0; nth < 4; nth += 1) {
    server.ping();
    await clock.pass(16);
  }
  assert.deepEqual(plain(room.state), { n: 2 });
  assert.equal(watches(server).length, 2);
});

test("a room that is told of all does not ask", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  chord.watch(ROOM);
  for (let n = 2; n < 20; n += 1) {
    server.update(ROOM, { n });
    server.ping();
    await clock.pass(16);
  }
  assert.equal(watches(server).length, 1);
});

test("a room that missed something asks at once, and once", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  network.fate = { ...network.fate, loss: 1 };
  server.update(ROOM, { n: 2 });
  network.fate = { ...network.fate, loss: 0 };
  server.update(ROOM, { n: 3 });
  server.update(ROOM, { n: 4 });
  await clock.pass(0.01);
  assert.deepEqual(plain(room.state), { n: 4 });
  assert.equal(watches(server).length, 2);
});

test("an error that answers an older question does not end a room", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  const late = { type: "error", code: "not-found", message: "", applied: false };
  network.sockets[0].take(JSON.stringify({ ...late, ref: 0, context: ROOM }));
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.equal(room.status, "live");
  assert.deepEqual(plain(room.state), { n: 2 });
});

test("a closed room stays closed, whatever is written through it", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  room.close();
  room.update({ n: 2 });
  await clock.pass(1);
  assert.deepEqual(server.state(ROOM), { n: 2 });
  assert.equal(watches(server).length, 1);
});

test("that there is no context is not believed where it was overtaken", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  const socket = network.sockets[0];
  socket.take(JSON.stringify({ type: "current", context: ROOM, position: "e1:9" }));
  const ref = socket.sent.at(-1).ref;
  const anew = { type: "full", context: ROOM, position: "e2:1", state: {}, reason: "requested" };
  socket.take(JSON.stringify(anew));
  const none = { type: "error", code: "not-found", message: "", applied: false };
  socket.take(JSON.stringify({ ...none, ref, context: ROOM }));
  await clock.pass(1);
  assert.equal(room.status, "live");
  assert.equal(room.position, server.position(ROOM));
});

test("a question that was refused unread is asked again soon", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const errors = collect(room, "error");
  await clock.pass(0.0025); // the server has said hello, and not heard the question yet
  server.mute = true;
  await clock.pass(0.5);
  const { ref } = watches(server)[0];
  const refused = { type: "error", code: "rate-limited", message: "", applied: false };
  network.sockets[0].take(JSON.stringify({ ...refused, ref, retry_after: 1 }));
  server.mute = false;
  await clock.pass(2);
  assert.equal(errors[0].retryAfter, 1);
  assert.equal(room.status, "live");
});

test("a delta that comes to nothing is not told of", async () => {
  const { chord, clock, network } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const changes = collect(room, "change");
  await clock.pass(1);
  const nothing = { type: "delta", context: ROOM, from: "e1:1", position: "e1:3", changes: {} };
  network.sockets[0].take(JSON.stringify(nothing));
  assert.equal(room.position, "e1:3");
  assert.equal(changes.length, 1);
});

test("a room that is closed in a listener is closed for good", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  room.on("change", () => room.close());
  await clock.pass(600);
  assert.equal(room.status, "ended");
  assert.equal(watches(server).length, 1);
});

test("a room that is closed as it tells of an error is closed for good", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  room.on("error", () => room.close());
  server.push({ type: "error", code: "unavailable", message: "not now", context: ROOM });
  await clock.pass(600);
  assert.equal(room.status, "ended");
  assert.equal(watches(server).length, 1);
});

test("a room that is closed as it goes live leaves nothing behind", async () => {
  const { chord, clock } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(0.0015);
  const before = clock.pending;
  room.on("status", () => room.close());
  await clock.pass(1);
  assert.equal(room.status, "ended");
  assert.ok(clock.pending < before, `${clock.pending}`);
});

test("every listener is told of all in the order in which it came to be", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1, seen: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  room.on("change", ({ state: { n, seen } }) => {
    if (seen < n) room.update({ seen: n }, { optimistic: true });
  });
  const changes = collect(room, "change");
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  const told = changes.map(({ state }) => plain(state));
  assert.deepEqual(told, [{ n: 2, seen: 1 }, { n: 2, seen: 2 }]);
});

test("a room that has ended begins anew where it is asked for again", async () => {
  const { chord, clock, server } = makeWorld();
  chord.watch(ROOM);
  await clock.pass(1);
  server.set(ROOM, { n: 1 });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  assert.equal(room.status, "live");
  assert.equal(await room.ready, room);
  assert.deepEqual(plain(room.state), { n: 1 });
});

test("a context that is watched again as its room ends is watched", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  let again;
  room.on("status", () => (again = chord.watch(ROOM)));
  room.close();
  await clock.pass(1);
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.deepEqual(plain(again.state), { n: 2 });
});

test("a question that still waits to be sent is not asked again", async () => {
  const { chord, clock, server } = makeWorld();
  server.limits = { rate: 4, burst: 4 };
  const ids = Array.from({ length: 100 }, (_, nth) => `room:${nth}`);
  for (const id of ids) server.set(id, { n: 1 });
  const rooms = ids.map((id) => chord.watch(id));
  for (let nth = 0; nth < 4; nth += 1) {
    server.ping();
    await clock.pass(10);
  }
  assert.ok(rooms.every(({ status }) => status === "live"));
  assert.equal(watches(server).length, 100);
});

test("a watch that is answered and then ended for now is asked for ever more seldom", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  chord.watch(ROOM);
  const end = { type: "error", code: "internal", message: "a fault", applied: null, context: ROOM };
  let ended = 0;
  for (let nth = 0; nth < 3000; nth += 1) {
    await clock.pass(0.01);
    if (watches(server).length > ended) server.push(end);
    ended = watches(server).length;
  }
  assert.ok(ended > 3 && ended < 15, `${ended}`);
});

test("of who asked for the same room the least interval counts", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  chord.watch(ROOM, { interval: 5 });
  await clock.pass(1);
  chord.watch(ROOM, { interval: 9 });
  chord.watch(ROOM, { interval: 2 });
  await clock.pass(1);
  assert.deepEqual(watches(server).map(({ interval }) => interval), [5, 2]);
});
