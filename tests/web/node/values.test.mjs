/** What values are to those who use the client, and that no key of a state is ever magic. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  REMOVE,
  Replica,
  Rich,
  append,
  apply,
  diff,
  equal,
  increment,
  lower,
  raise,
  replace,
} from "../../../chord/web/static/chord.mjs";

const NASTY = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", ""];
const parse = JSON.parse;

test("a state's objects have no keys that nobody wrote", () => {
  const state = raise(parse('{"people": {"ana": {}}}'));
  for (const key of NASTY) assert.equal(state.people[key], undefined);
});

for (const key of NASTY) {
  const text = JSON.stringify(key);

  test(`a key of a state is a key like any other: ${text}`, () => {
    const state = raise(parse(`{${text}: {"polluted": true}}`));
    assert.deepEqual(Object.keys(state), [key]);
    assert.equal(state[key].polluted, true);
    assert.equal({}.polluted, undefined);
  });

  test(`a delta changes, adds and removes such a key: ${text}`, () => {
    const added = apply(raise({}), raise(parse(`{${text}: ["a", {${text}: 1}]}`)));
    assert.equal(added[key][key], 1);
    const changed = apply(added, raise(parse(`{${text}: {${text}: ["m", 2]}}`)));
    assert.equal(changed[key][key], 2);
    assert.deepEqual(Object.keys(apply(changed, raise(parse(`{${text}: ["r"]}`)))), []);
    assert.equal({}.polluted, undefined);
  });

  test(`such a key is sent, and told of in a difference: ${text}`, () => {
    const state = raise(parse(`{${text}: {${text}: 1}}`));
    assert.equal(JSON.stringify(lower(state).plain), `{${text}:{${text}:1}}`);
    assert.equal(JSON.stringify(diff(raise({}), state)), `{${text}:["a",{${text}:1}]}`);
  });

  test(`types lead to such a key only where it is: ${text}`, () => {
    const read = raise(parse(`{${text}: "NaN"}`), [[[key], "float"]]);
    assert.ok(Number.isNaN(read[key]));
    assert.throws(() => raise({}, [[[key], "float"]]), { code: "malformed" });
    assert.throws(() => raise({}, [[[key, "polluted"], "float"]]), { code: "malformed" });
    assert.equal({}.polluted, undefined);
  });
}

test("a state cannot be changed, however deep", () => {
  const state = raise({ a: { b: [{}] } });
  assert.throws(() => (state.a.b[0].c = 1), TypeError);
  assert.throws(() => state.a.b.push(1), TypeError);
  assert.throws(() => delete state.a, TypeError);
});

test("a delta leaves what it does not change the very same", () => {
  const before = raise({ a: { b: 1 }, c: { d: 1 } });
  const after = apply(before, raise({ a: { b: ["m", 2] } }));
  assert.equal(after.c, before.c);
  assert.equal(before.a.b, 1);
  assert.equal(after.a.b, 2);
});

test("whole numbers beyond 2^53 are BigInt, and small ones are sent as numbers", () => {
  assert.equal(raise({ n: "9007199254740993" }, [[["n"], "int"]]).n, 9007199254740993n);
  assert.deepEqual(lower([1n, 2n ** 60n]), {
    plain: [1, String(2n ** 60n)],
    types: [[[1], "int"]],
  });
});

test("a leaf without a type of its own prints and compares", () => {
  const price = new Rich("decimal", "9.90");
  assert.equal(`${price}`, "9.90");
  assert.equal(JSON.stringify({ price }), '{"price":"9.90"}');
  assert.ok(price.equals(raise("9.90", [[[], "decimal"]])));
  assert.ok(!price.equals(new Rich("decimal", "9.9")));
  assert.throws(() => (price.text = "0"), TypeError);
});

test("values are the same by type and content", () => {
  assert.ok(equal({ a: [NaN, 1n, Uint8Array.of(1)] }, { a: [NaN, 1n, Uint8Array.of(1)] }));
  for (const [one, other] of [
    [1, "1"],
    [1, 1n],
    [[], {}],
    [null, {}],
    [{ a: undefined }, { b: undefined }],
    [Uint8Array.of(1), [1]],
  ]) {
    assert.ok(!equal(one, other));
    assert.ok(!equal(other, one));
  }
});

test("write operators are said in the types", () => {
  const partial = { log: append("x", 2n ** 70n), n: increment(), old: REMOVE, at: replace({}) };
  const { plain, types } = lower(partial, { operators: true });
  assert.equal(
    JSON.stringify(plain),
    '{"log":["x","1180591620717411303424"],"n":1,"old":null,"at":{}}',
  );
  assert.deepEqual(types, [
    [["log", 1], "int"],
    [["log"], "append"],
    [["n"], "increment"],
    [["old"], "remove"],
    [["at"], "replace"],
  ]);
});

const loop = {};
loop.loop = loop;

for (const [name, value] of Object.entries({
  undefined: { a: undefined },
  "a function": { a: () => 1 },
  "a class's instance": { a: new Date(0) },
  "a map": { a: new Map() },
  "a hole in a list": { a: [, 1] },
  "half a character": { a: "\ud800" },
  "half a character as a key": { "\udc00": 1 },
  "what holds itself": { a: loop },
  "an operator in a state": { a: REMOVE },
})) {
  test(`what no state can hold is refused, and where: ${name}`, () => {
    assert.throws(() => lower(value), { name: "TypeError", message: /^at \[/ });
  });
}

test("an operator inside of a list or of another is refused", () => {
  for (const value of [{ a: [REMOVE] }, { a: replace({ b: increment() }) }]) {
    assert.throws(() => lower(value, { operators: true }), TypeError);
  }
});

for (const types of [
  [[["b"], "float"]],
  [[["a", "length"], "float"]],
  [[["a", 1], "float"]],
  [[["a", "0"], "float"]],
  [[["a", 0], "float"]],
  [[["a"], "bytes"]],
]) {
  test(`types that do not fit are no message: ${JSON.stringify(types)}`, () => {
    assert.throws(() => raise({ a: ["text"] }, types), { code: "malformed" });
  });
}

test("a type that is not known yet is kept as it was said", () => {
  const read = raise({ at: "over there" }, [[["at"], "place"]]);
  assert.equal(String(read.at), "over there");
  assert.deepEqual(lower(read).types, [[["at"], "place"]]);
});

test("a replica that is told what is no state says so, and stays as it was", () => {
  const replica = new Replica();
  replica.receive({ type: "full", position: "e:1", state: { n: 1 }, reason: "requested" });
  const bad = { type: "full", position: "e:2", state: {}, types: [[["n"], "int"]] };
  assert.throws(() => replica.receive(bad), { code: "malformed" });
  assert.equal(replica.position, "e:1");
});
