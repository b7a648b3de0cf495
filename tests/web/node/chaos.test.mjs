/** Over a network that loses, repeats and reorders, every room comes to equal the server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { REMOVE, append, increment } from "../../../chord/web/static/chord.mjs";
import { chance } from "./clock.mjs";
import { PERFECT } from "./network.mjs";
import { ROOM, makeWorld, plain } from "./world.mjs";

const SEEDS = Number(process.env.CHORD_SEEDS ?? 60);
const STEPS = 60;

const BAD = { loss: 0.15, repeat: 0.2, delay: 0.01, jitter: 2 };

/** A world with three clients, and dice that say what happens in it. */
function makeChaos(seed) {
  const dice = chance(seed);
  const state = { n: 0, log: [], people: {} };
  const world = makeWorld({ state, seed: seed + 1000, random: dice });
  const clients = [world.chord, world.open(), world.open()];
  world.network.fate = BAD;
  const rooms = clients.map((chord) => chord.watch(ROOM));
  return { ...world, dice, clients, rooms, done: 0, failed: 0, appended: [] };
}

const pick = (dice, choices) => choices[Math.floor(dice() * choices.length)];

/** Something that others do on the server, or that becomes of the network. */
function happen(chaos, step) {
  const { dice, server, network } = chaos;
  const key = pick(dice, ["ana", "bo", "__proto__", "constructor"]);
  pick(dice, [
    () => server.set(ROOM, { ...server.state(ROOM), people: JSON.parse(`{"${key}": ${step}}`) }),
    () => server.update(ROOM, { at: step }),
    () => server.update(ROOM, { at: null }, [[["at"], "remove"]]),
    () => network.cut(pick(dice, [1006, 1012, 4408])),
    () => server.ping(),
    () => {},
  ])();
}

/** Something that a client writes; what comes of it is counted. */
function write(chaos, step) {
  const room = pick(chaos.dice, chaos.rooms);
  const optimistic = chaos.dice() < 0.5;
  const changes = { n: increment(), log: append(step), at: pick(chaos.dice, [REMOVE, step]) };
  room.update(changes, { optimistic }).then(
    () => chaos.appended.push(step),
    (error) => (chaos.failed += error.applied === false ? 0 : 1),
  );
}

/** The network is good again: in a while all must be well. */
async function calm({ network, clock, server }) {
  network.fate = PERFECT;
  for (let nth = 0; nth < 15; nth += 1) {
    await clock.pass(15);
    server.ping();
  }
}

async function live(chaos) {
  for (let step = 0; step < STEPS; step += 1) {
    happen(chaos, step);
    if (chaos.dice() < 0.5) write(chaos, step);
    await chaos.clock.pass(3 * chaos.dice() ** 3);
  }
}

const sorted = (numbers) => [...numbers].sort((one, other) => one - other);

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`rooms come to equal the server, and each write arrives once: seed ${seed}`, async () => {
    const chaos = makeChaos(seed);
    await live(chaos);
    await calm(chaos);
    const state = chaos.server.state(ROOM);
    for (const room of chaos.rooms) {
      assert.deepEqual(plain(room.state), plain(state));
      assert.equal(room.position, chaos.server.position(ROOM));
      assert.equal(room.pending, 0);
      assert.equal(room.status, "live");
    }
    assert.equal(chaos.failed, 0);
    assert.deepEqual(sorted(state.log), sorted(chaos.appended));
    assert.equal(state.n, state.log.length);
    assert.equal(new Set(chaos.server.runs).size, chaos.server.runs.length);
  });
}

for (let seed = 1; seed <= SEEDS / 4; seed += 1) {
  test(`contexts that end and begin again are no exception: seed ${seed}`, async () => {
    const chaos = makeChaos(seed);
    for (let step = 0; step < STEPS / 2; step += 1) {
      happen(chaos, step);
      if (chaos.dice() < 0.2) {
        chaos.server.delete(ROOM);
        if (chaos.dice() < 0.7) await chaos.clock.pass(2 * chaos.dice());
        chaos.server.set(ROOM, { anew: step });
      }
      await chaos.clock.pass(3 * chaos.dice() ** 3);
    }
    await calm(chaos);
    for (const room of chaos.rooms) {
      if (room.status === "ended") assert.equal(room.state, null);
      else assert.deepEqual(plain(room.state), plain(chaos.server.state(ROOM)));
    }
  });
}

test("a lossy network does not make a client ask without end", async () => {
  const { chord, clock, network, server } = makeWorld({ state: { n: 0 }, random: chance(7) });
  chord.watch(ROOM);
  await clock.pass(1);
  network.fate = { ...BAD, loss: 0.6 };
  for (let n = 1; n <= 1000; n += 1) {
    server.update(ROOM, { n });
    await clock.pass(0.01);
  }
  const watches = server.heard.filter(({ type }) => type === "watch").length;
  assert.ok(watches < 40, `${watches}`);
});
