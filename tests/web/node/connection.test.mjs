/** How a client comes back to a server, when it gives up, and what it puts upon the server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../../../chord/web/static/chord.mjs";
import { ROOM, collect, makeWorld, plain, watches } from "./world.mjs";

test("it speaks the JSON subprotocol, and is open once the server said hello", async () => {
  const { chord, clock, network } = makeWorld();
  assert.equal(chord.status, "connecting");
  await clock.pass(1);
  assert.equal(chord.status, "open");
  assert.deepEqual(network.sockets[0].protocols, ["chord.v1.json"]);
});

test("an address of the web's is that of its WebSocket", () => {
  const { chord, network, open } = makeWorld();
  const { WebSocket } = network;
  connect("https://host/chord/ws", { WebSocket }).close();
  assert.equal(network.sockets.at(-1).url, "wss://host/chord/ws");
  chord.close();
  open().close();
});

test("credentials are one more subprotocol, asked for anew at each connection", async () => {
  const { clock, network, open } = makeWorld();
  let count = 0;
  open({ token: async () => `token ${++count}/\u00e9`, protocols: ["mine"] });
  await clock.pass(1);
  network.cut();
  await clock.pass(2);
  const offered = network.sockets.map(({ protocols }) => protocols).filter((all) => all.length > 1);
  const said = offered.map((all) => Buffer.from(all[2].slice(12), "base64url").toString());
  assert.deepEqual(said, ["token 1/\u00e9", "token 2/\u00e9"]);
  assert.equal(offered[0][1], "mine");
  assert.match(offered[0][2], /^chord\.token\.[A-Za-z0-9_-]+$/);
});

test("credentials that cannot be had now are asked for again", async () => {
  const { clock, open } = makeWorld();
  let count = 0;
  const chord = open({
    token: () => {
      count += 1;
      if (count < 3) throw new Error("not now");
      return "now";
    },
  });
  await clock.pass(5);
  assert.equal(chord.status, "open");
  assert.equal(count, 3);
});

test("pauses between tries grow, to a limit, and by chance", async () => {
  const { clock, network, open, chord } = makeWorld();
  chord.close();
  network.down = true;
  const dice = [0.25, 0.5, 1, 1, 1, 1, 1, 1, 1, 1];
  open({ random: () => dice.shift() ?? 1 });
  const tries = [];
  for (let second = 0; second < 1200; second += 1) {
    const before = network.sockets.length;
    await clock.pass(0.1);
    if (network.sockets.length > before) tries.push(clock.now());
  }
  const pauses = tries.slice(1).map((time, nth) => time - tries[nth]);
  assert.ok(pauses[1] < pauses[2] && pauses[2] < pauses[3]);
  for (const pause of pauses.slice(6, 8)) assert.ok(Math.abs(pause - 30) < 0.2, `${pause}`);
});

test("a connection that lasted begins the pauses anew", async () => {
  const { chord, clock, network } = makeWorld();
  for (let nth = 0; nth < 8; nth += 1) {
    await clock.pass(10);
    network.cut();
    await clock.pass(0.5);
    assert.equal(chord.status, "open");
  }
});

test("connections that end at once are tried for ever more seldom", async () => {
  const { clock, network, server } = makeWorld();
  for (let second = 0; second < 60; second += 1) {
    await clock.pass(1);
    server.closeAll(1012);
  }
  assert.ok(network.sockets.length < 15, `${network.sockets.length}`);
});

test("a server that falls silent is left for a new connection", async () => {
  const { chord, clock, server, network } = makeWorld();
  await clock.pass(1);
  const statuses = collect(chord, "status");
  await clock.pass(51);
  assert.equal(network.sockets.length, 2);
  assert.deepEqual(statuses.map(({ status }) => status), ["waiting", "connecting", "open"]);
  assert.deepEqual(network.sockets.map(({ readyState }) => readyState), [3, 1]);
});

test("a server that pings is answered, and kept", async () => {
  const { clock, server, network } = makeWorld();
  for (let nth = 0; nth < 10; nth += 1) {
    await clock.pass(20);
    server.ping();
  }
  assert.equal(network.sockets.length, 1);
  await clock.pass(1);
  assert.deepEqual(server.heard, Array(10).fill({ type: "pong" }));
});

test("a server that never says hello is left, too", async () => {
  const { chord, clock, server, network } = makeWorld();
  server.mute = true;
  await clock.pass(16);
  assert.equal(network.sockets.length, 2);
  server.mute = false;
  await clock.pass(20);
  assert.equal(chord.status, "open");
});

test("the browser's word that it is online ends a pause", async () => {
  const listeners = new Map();
  globalThis.addEventListener = (name, act) => listeners.set(name, act);
  globalThis.removeEventListener = (name) => listeners.delete(name);
  const { chord, clock, network } = makeWorld({ random: () => 1 });
  network.down = true;
  await clock.pass(200);
  network.down = false;
  listeners.get("online")();
  await clock.pass(0.1);
  assert.equal(chord.status, "open");
  chord.close();
  assert.equal(listeners.size, 0);
  delete globalThis.addEventListener;
  delete globalThis.removeEventListener;
});

for (const [code, name] of [
  [4400, "malformed"],
  [4401, "unauthenticated"],
  [4403, "forbidden"],
]) {
  test(`it does not come back after ${code}, and tells why`, async () => {
    const { chord, clock, network, server } = makeWorld({ state: {} });
    const room = chord.watch(ROOM);
    const statuses = collect(chord, "status");
    await clock.pass(1);
    server.closeAll(code);
    await clock.pass(100);
    assert.equal(network.sockets.length, 1);
    assert.equal(statuses.at(-1).error.code, name);
    assert.equal(room.status, "ended");
    await assert.rejects(chord.get(ROOM), { code: "closed", applied: false });
    assert.throws(() => chord.watch(ROOM), { code: "closed" });
  });
}

test("it comes back with other credentials where it can have them", async () => {
  const { clock, network, open, server } = makeWorld();
  const chord = open({ token: () => "another" });
  await clock.pass(1);
  server.closeAll(4401);
  await clock.pass(1);
  assert.equal(chord.status, "open");
  assert.equal(network.sockets.length, 3);
});

test("it stays away longer from a server that has too much", async () => {
  const { chord, clock, server } = makeWorld();
  await clock.pass(1);
  server.closeAll(4429);
  await clock.pass(9);
  assert.equal(chord.status, "waiting");
  await clock.pass(3);
  assert.equal(chord.status, "open");
});

test("it sends no faster than the server's limits allow", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 0 } });
  server.limits = { rate: 10, burst: 20 };
  const writes = Array.from({ length: 100 }, (_, n) => chord.update(ROOM, { n }));
  await clock.pass(1);
  assert.ok(server.heard.length <= 30, `${server.heard.length}`);
  await clock.pass(30);
  await Promise.all(writes);
  assert.equal(server.runs.length, 100);
});

test("what was not sent before the connection was lost is not sent twice after", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 0 } });
  server.limits = { rate: 10, burst: 20 };
  const writes = Array.from({ length: 100 }, (_, n) => chord.update(ROOM, { n }));
  await clock.pass(1);
  network.cut();
  await clock.pass(30);
  await Promise.all(writes);
  assert.ok(server.heard.length <= 120, `${server.heard.length}`);
});

test("what is no message is told of, and does no harm", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const errors = collect(chord, "error");
  await clock.pass(1);
  const bad = ["", "{", "null", "[]", '{"type": 1}', '"ping"'];
  for (const text of bad) network.sockets[0].take(text);
  network.sockets[0].take('{"type": "of-tomorrow", "context": "room:1"}');
  assert.deepEqual(errors.map(({ code }) => code), bad.map(() => "malformed"));
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.deepEqual(plain(room.state), { n: 2 });
});

test("a state that cannot be read is asked for again, not without a pause", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  const bad = { type: "full", context: ROOM, position: "e1:9", state: {}, types: [[["n"], "int"]] };
  for (let nth = 0; nth < 100; nth += 1) network.sockets[0].take(JSON.stringify(bad));
  await clock.pass(5);
  const asked = watches(server).length;
  assert.ok(asked > 1 && asked < 10, `${asked}`);
  assert.deepEqual(plain(room.state), { n: 1 });
  assert.equal(room.status, "live");
});

test("a listener that throws hinders nobody, and is heard of", async () => {
  const { chord, clock } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  const thrown = [];
  globalThis.reportError = (error) => thrown.push(error.message);
  room.on("change", () => {
    throw new Error("mine");
  });
  const changes = collect(room, "change");
  await clock.pass(1);
  assert.equal(changes.length, 1);
  assert.deepEqual(thrown, ["mine"]);
  delete globalThis.reportError;
});

test("a listener is taken away by what `on` returned", async () => {
  const { chord, clock, server } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  let count = 0;
  const off = room.on("change", () => (count += 1));
  await clock.pass(1);
  off();
  server.update(ROOM, { n: 2 });
  await clock.pass(1);
  assert.equal(count, 1);
});

test("a closed client leaves nothing behind", async () => {
  const { chord, clock, network } = makeWorld({ state: { n: 1 } });
  const room = chord.watch(ROOM);
  await clock.pass(1);
  chord.close();
  await clock.pass(1);
  assert.equal(chord.status, "closed");
  assert.equal(network.sockets[0].closedWith, 1000);
  assert.equal(room.status, "ended");
  assert.equal(clock.pending, 0);
});

test("a client that is closed as it tells of its status stays closed", async () => {
  for (const when of ["waiting", "connecting"]) {
    const { chord, clock, network } = makeWorld();
    await clock.pass(1);
    chord.on("status", ({ status }) => status === when && chord.close());
    network.cut();
    await clock.pass(60);
    assert.equal(chord.status, "closed");
    assert.equal(network.sockets.length, 1);
    assert.equal(clock.pending, 0);
  }
});

test("credentials that never come are asked for again", async () => {
  const { clock, open } = makeWorld();
  let count = 0;
  const token = () => {
    count += 1;
    return count < 3 ? new Promise(() => {}) : "now";
  };
  const chord = open({ token });
  const errors = collect(chord, "error");
  await clock.pass(40);
  assert.equal(chord.status, "open");
  assert.equal(errors.length, 2);
});

test("credentials that come too late are not used", async () => {
  const { clock, network, open } = makeWorld();
  const given = [];
  open({ token: () => new Promise((resolve) => given.push(resolve)) });
  await clock.pass(16);
  given[0]("old");
  await clock.pass(1);
  given[1]("new");
  await clock.pass(1);
  const offered = network.sockets.map(({ protocols }) => protocols[1]).filter(Boolean);
  assert.deepEqual(offered, [`chord.token.${Buffer.from("new").toString("base64url")}`]);
});

test("why there are no credentials is told", async () => {
  const { clock, open } = makeWorld();
  const problem = new Error("signed out");
  const chord = open({ token: () => Promise.reject(problem) });
  const errors = collect(chord, "error");
  await clock.pass(0.1);
  assert.equal(errors[0], problem);
});

test("a WebSocket that cannot be made is told of, and tried again", async () => {
  const { clock, network, open } = makeWorld();
  let count = 0;
  class Insecure extends network.WebSocket {
    constructor(...how) {
      count += 1;
      if (count < 3) throw new Error("insecure");
      super(...how);
    }
  }
  const chord = open({ token: () => "mine", WebSocket: Insecure });
  const errors = collect(chord, "error");
  await clock.pass(5);
  assert.deepEqual(errors.map(({ message }) => message), ["insecure", "insecure"]);
  assert.equal(chord.status, "open");
});
