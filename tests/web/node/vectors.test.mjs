/** What every client must make of what servers say: the vectors that all clients share. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Replica, apply, diff, equal, lower, raise } from "../../../chord/web/static/chord.mjs";

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")).cases;

/** What is said of a value, in any order of keys and of types. */
function same(one, other) {
  assert.ok(equal(one.value, other.value), `${show(one.value)} is not ${show(other.value)}`);
  assert.deepEqual(sorted(one.types), sorted(other.types));
}

const show = (value) => JSON.stringify(value);
const sorted = (types) => types.map(show).sort();
const clone = (value) => JSON.parse(show(value));

for (const { name, value, types } of read("leaves")) {
  test(`a leaf comes out as it went in: ${name}`, () => {
    const said = lower(raise(clone(value), types));
    same({ value: raise(clone(said.plain)), types: said.types }, { value: raise(value), types });
  });
}

for (const { name, changes, types } of read("partials")) {
  test(`a partial state comes out as it went in: ${name}`, () => {
    const partial = raise(clone(changes), types, { operators: true });
    const said = lower(partial, { operators: true });
    assert.deepEqual(clone(said.plain), changes);
    assert.deepEqual(sorted(said.types), sorted(types));
  });
}

for (const { name, changes, types, ...states } of read("changes")) {
  const [before, after] = [
    [states.before, states.before_types],
    [states.after, states.after_types],
  ].map(([plain, noted]) => raise(plain, noted));

  test(`changes lead to the state that they tell of: ${name}`, () => {
    const applied = apply(before, raise(clone(changes), types));
    assert.ok(equal(applied, after));
  });

  test(`a difference leads from the one to the other: ${name}`, () => {
    assert.ok(equal(apply(before, diff(before, after)), after));
    assert.deepEqual(Object.keys(diff(after, after)), []);
  });
}

for (const { name, steps } of read("replicas")) {
  test(`a replica: ${name}`, () => {
    const replica = new Replica();
    const questions = [];
    for (const step of steps) {
      if (step.ask) {
        questions.push(replica.ask());
        assert.equal(questions.at(-1).since, step.ask.since);
      } else {
        const question = step.answers === undefined ? null : questions[step.answers];
        const taken = step.forget
          ? replica.forget(question)
          : replica.receive(step.receive, question);
        const { then } = step;
        assert.equal(taken, then.taken);
        assert.equal(replica.position, then.position);
        assert.equal(replica.needsSync, then.needs_sync);
        assert.equal(replica.deleted, then.deleted);
        assert.ok(equal(replica.state, raise(then.state, then.types)));
      }
    }
  });
}
