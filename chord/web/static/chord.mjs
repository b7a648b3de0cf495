/**
 * Hold copies of a Chord server's contexts, kept up to date over one WebSocket, and write to them.
 *
 *     import { connect, REMOVE, increment } from "/chord/chord.mjs";
 *
 *     const chord = connect("wss://host/chord/ws");
 *     const room = chord.watch("room:1");
 *     room.on("change", ({ state }) => draw(state));
 *     await room.update({ people: { ana: { typing: true } }, clicks: increment() });
 *
 * It has no dependencies. States are frozen, and objects in them have no prototype, so that a key
 * such as `constructor` is there only if somebody wrote it. Leaves that JavaScript has no type for
 * are `BigInt` (whole numbers beyond 2^53), `Uint8Array` (bytes) and `Rich` (all others); a number
 * that is whole is an int to the server. The protocol is told in `docs/wire.md`; times are seconds.
 *
 * Writes are sent in the order in which they were asked for. One that the server refuses for now
 * is sent again, and then comes after those that it let pass: where the order counts, await the
 * one before the next, or say what is `expected`.
 *
 * @module chord
 */

/** @typedef {string} Position  Opaque: keep it, send it back, never read it. */
/** @typedef {Readonly<Record<string, any>>} State */
/** @typedef {Readonly<Record<string, any>>} Changes  A tree of what changed; see `diff`. */
/** @typedef {{position: Position | null, changed: boolean}} Commit */

// -- errors --------------------------------------------------------------------------------------

/**
 * What went wrong, by a `code` of `docs/wire.md`; of this client's own are `unauthenticated`,
 * `closed` and `overloaded` (its queue is full). `applied` is false where nothing was written, and
 * null where nobody can tell. It may have `context`, `retryAfter`, `actual` and `address`.
 */
export class ChordError extends Error {
  name = "ChordError";

  /**
   * @param {string} code @param {string} message
   * @param {{applied?: false | null, context?: string, retryAfter?: number,
   *   actual?: Position | null, address?: string}} [facts]
   */
  constructor(code, message, { applied = false, context, retryAfter, actual, address } = {}) {
    super(message);
    this.code = code;
    this.applied = applied;
    this.context = context;
    this.retryAfter = retryAfter;
    this.actual = actual;
    this.address = address;
  }
}

const malformed = (problem) => new ChordError("malformed", problem);

const toError = ({ code, message, retry_after: retryAfter, ...facts }) =>
  new ChordError(code, message, { ...facts, retryAfter });

// -- values --------------------------------------------------------------------------------------

/** A leaf that JavaScript has no type for: its tag and its text, as `docs/wire.md` lists them. */
export class Rich {
  /** @param {string} tag @param {string} text */
  constructor(tag, text) {
    this.tag = tag;
    this.text = text;
    Object.freeze(this);
  }

  /** @param {any} other */
  equals(other) {
    return other instanceof Rich && other.tag === this.tag && other.text === this.text;
  }

  toString() {
    return this.text;
  }

  toJSON() {
    return this.text;
  }
}

class Operator {
  constructor(tag, value) {
    this.tag = tag;
    this.value = value;
    Object.freeze(this);
  }
}

/** Write operator: delete this key; where it is missing, do nothing. */
export const REMOVE = new Operator("remove", null);

/** Write operator: put these behind the items of the list here. @param {...any} items */
export const append = (...items) => new Operator("append", items);

/**
 * Write operator: add to the number here; missing, it begins at 0.
 *
 * @param {number | bigint | Rich} by
 */
export const increment = (by = 1) => new Operator("increment", by);

/** Write operator: put this here as a whole; an object is not merged. @param {any} value */
export const replace = (value) => new Operator("replace", value);

const MAX_DEPTH = 256;
const OPERATORS = new Set(["remove", "append", "increment", "replace"]);
const MISSING = Symbol("missing");
const EMPTY = Object.freeze(Object.create(null));

/** Whether it is an object of keys, of whatever window: no class's instance, list or leaf. */
function isDict(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The own keys on an object without a prototype, where every key is as good as another. */
function copyDict(dict) {
  const copy = Object.create(null);
  for (const key of Object.keys(dict)) copy[key] = dict[key];
  return copy;
}

/** A copy that nobody can change, its objects without prototypes. */
function freeze(value) {
  if (Array.isArray(value)) return Object.freeze(value.map(freeze));
  if (!isDict(value)) return value;
  const frozen = Object.create(null);
  for (const key of Object.keys(value)) frozen[key] = freeze(value[key]);
  return Object.freeze(frozen);
}

/**
 * Whether two values are the same: leaves by type and content, NaN too, keys in any order.
 *
 * @param {any} one @param {any} other @returns {boolean}
 */
export function equal(one, other) {
  if (Object.is(one, other)) return true;
  if (Array.isArray(one)) return Array.isArray(other) && equalItems(one, other);
  if (one instanceof Rich) return one.equals(other);
  if (one instanceof Uint8Array) return other instanceof Uint8Array && equalItems(one, other);
  if (!isDict(one) || !isDict(other)) return false;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && equal(one[key], other[key]))
  );
}

const equalItems = (one, other) =>
  one.length === other.length && one.every((item, index) => equal(item, other[index]));

/**
 * Say a value as JSON, and in `types` what JSON has no type for. Throws a `TypeError` that names
 * the path of what cannot be said.
 *
 * @param {any} value
 * @param {{operators?: boolean}} [options]  Whether write operators may stand in it.
 * @returns {{plain: any, types: Array<[Array<string | number>, string]>}}
 */
export function lower(value, { operators = false } = {}) {
  const types = [];
  return { plain: lowerAt(value, [], types, operators), types };
}

function lowerAt(value, path, types, operators) {
  if (path.length > MAX_DEPTH) throw unsayable(path, "it is too deep, or holds itself");
  if (typeof value === "string") return checkText(value, path);
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return value;
  if (Array.isArray(value)) {
    return Array.from(value, (item, at) => lowerAt(item, [...path, at], types, false));
  }
  if (isDict(value)) return lowerDict(value, path, types, operators);
  if (value instanceof Operator) return lowerOperator(value, path, types, operators);
  const [tag, text] = tagOf(value, path);
  if (tag !== null) types.push([path, tag]);
  return text;
}

function lowerDict(dict, path, types, operators) {
  const plain = Object.create(null);
  for (const key of Object.keys(dict)) {
    checkText(key, path);
    plain[key] = lowerAt(dict[key], [...path, key], types, operators);
  }
  return plain;
}

function lowerOperator({ tag, value }, path, types, operators) {
  if (!operators) throw unsayable(path, "a write operator cannot stand here");
  const plain = lowerAt(value, path, types, false);
  types.push([path, tag]);
  return plain;
}

/** @returns {[string | null, any]} A tag, where it needs one, and what is said. */
function tagOf(value, path) {
  if (typeof value === "number") return ["float", String(value)];
  if (typeof value === "bigint") {
    const small = Number(value);
    return Number.isSafeInteger(small) ? [null, small] : ["int", String(value)];
  }
  if (value instanceof Uint8Array) return ["bytes", toBase64(value)];
  if (value instanceof Rich) return [value.tag, value.text];
  throw unsayable(path, `no state can hold ${value?.constructor?.name ?? String(value)}`);
}

function checkText(text, path) {
  if (/\p{Surrogate}/u.test(text)) throw unsayable(path, "half a character (a lone surrogate)");
  return text;
}

const unsayable = (path, problem) => new TypeError(`at ${JSON.stringify(path)}: ${problem}`);

/**
 * Read what `lower` or the server said. Frozen. Throws a `ChordError` where it cannot be.
 *
 * @param {any} plain  What `JSON.parse` gave; it is used up.
 * @param {Array<[Array<string | number>, string]>} [types]
 * @param {{operators?: boolean}} [options]
 */
export function raise(plain, types = [], { operators = false } = {}) {
  const holder = { value: plain };
  const deepFirst = [...types].sort(([one], [other]) => other.length - one.length);
  for (const [path, tag] of deepFirst) raiseAt(holder, ["value", ...path], tag, operators);
  return freeze(holder.value);
}

function raiseAt(holder, path, tag, operators) {
  const last = path.at(-1);
  let inside = holder;
  for (const key of path.slice(0, -1)) {
    requireKey(inside, key, path);
    inside = inside[key];
  }
  requireKey(inside, last, path);
  inside[last] = operators && OPERATORS.has(tag)
    ? new Operator(tag, freeze(inside[last]))
    : readLeaf(tag, inside[last]);
}

function requireKey(inside, key, path) {
  const indexed = Array.isArray(inside) && Number.isInteger(key);
  const named = isDict(inside) && typeof key === "string";
  if (!(indexed || named) || !Object.hasOwn(inside, key)) {
    throw malformed(`types: there is nothing at ${JSON.stringify(path.slice(1))}`);
  }
}

const FLOATS = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
]);

function readLeaf(tag, text) {
  if (typeof text !== "string") throw malformed(`types: ${tag} is said as text`);
  try {
    if (tag === "int") return BigInt(text);
    if (tag === "bytes") return fromBase64(text);
  } catch {
    throw malformed(`types: this is no ${tag}`);
  }
  if (tag !== "float") return new Rich(tag, text);
  if (!FLOATS.has(text)) throw malformed("types: this is no float");
  return FLOATS.get(text);
}

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// -- changes -------------------------------------------------------------------------------------

/**
 * Put a delta's changes to a state. O(size of the changes and of the objects on their paths).
 *
 * @param {State} state @param {Changes} changes @returns {State}
 */
export function apply(state, changes) {
  if (Object.keys(changes).length === 0) return state;
  const made = copyDict(state);
  for (const key of Object.keys(changes)) {
    const value = changed(key in made ? made[key] : MISSING, changes[key]);
    if (value === MISSING) delete made[key];
    else made[key] = value;
  }
  return Object.freeze(made);
}

function changed(old, change) {
  if (Array.isArray(change)) return changedWhole(old, change);
  if (!isDict(old) || !isDict(change)) throw malformed("a change inside of what is no object");
  return apply(old, change);
}

const SIZES = new Map([
  ["a", 2],
  ["m", 2],
  ["r", 1],
  ["s", 4],
]);

function changedWhole(old, change) {
  const [kind, value] = change;
  if (SIZES.get(kind) !== change.length || (kind === "a") !== (old === MISSING)) {
    throw malformed("a change of another state");
  }
  if (kind === "r") return MISSING;
  return kind === "s" ? spliced(old, change) : value;
}

function spliced(old, [, start, removed, items]) {
  const fits = Array.isArray(old) && start >= 0 && removed >= 0 && start + removed === old.length;
  if (!fits || !Array.isArray(items)) throw malformed("a splice of another list");
  return Object.freeze([...old.slice(0, start), ...items]);
}

/**
 * Say what makes the one state the other: a tree of objects, whose arrays are changes: `["a",
 * value]` added, `["m", value]` modified, `["r"]` removed; and `["s", start, removed, items]`: of a
 * list's items from `start` on, so many became these. What both share is not looked into.
 *
 * @param {State} old @param {State} now @returns {Changes}
 */
export function diff(old, now) {
  const tree = Object.create(null);
  for (const key of Object.keys(now)) {
    const change = Object.hasOwn(old, key) ? diffValues(old[key], now[key]) : ["a", now[key]];
    if (change !== null) tree[key] = change;
  }
  for (const key of Object.keys(old)) if (!Object.hasOwn(now, key)) tree[key] = ["r"];
  return tree;
}

function diffValues(old, now) {
  if (Object.is(old, now)) return null;
  if (isDict(old) && isDict(now)) {
    const tree = diff(old, now);
    return Object.keys(tree).length ? tree : null;
  }
  if (equal(old, now)) return null;
  if (!Array.isArray(old) || !Array.isArray(now)) return ["m", now];
  let start = 0;
  while (start < old.length && start < now.length && equal(old[start], now[start])) start += 1;
  return ["s", start, old.length - start, now.slice(start)];
}

/** What a partial update makes of a value, as on the server; throws where that refuses. */
function put(old, value) {
  if (value instanceof Operator) return operate(old, value);
  if (!isDict(value)) return value;
  const made = copyDict(isDict(old) ? old : EMPTY);
  for (const key of Object.keys(value)) {
    const item = put(key in made ? made[key] : MISSING, value[key]);
    if (item === MISSING) delete made[key];
    else made[key] = item;
  }
  return Object.freeze(made);
}

function operate(old, { tag, value }) {
  if (tag === "remove") return MISSING;
  if (tag === "replace") return value;
  if (tag === "increment") return add(old === MISSING ? 0 : old, value);
  if (old === MISSING) return value;
  if (!Array.isArray(old)) throw new TypeError("append to what is no list");
  return Object.freeze([...old, ...value]);
}

function add(number, by) {
  const kinds = [typeof number, typeof by];
  if (kinds.every((kind) => kind === "number")) return number + by;
  if (!kinds.every((kind) => kind === "number" || kind === "bigint")) {
    throw new TypeError("increment of what is no number");
  }
  const whole = [number, by].every((part) => typeof part === "bigint" || Number.isInteger(part));
  return whole ? BigInt(number) + BigInt(by) : Number(number) + Number(by);
}

// -- a copy of a context -------------------------------------------------------------------------

const KEPT = 64; // positions that were passed
const FRUITLESS = 3; // answers that did not help, until everything is asked for

/** @typedef {{since: Position | null, gaps: number, moves: number}} Question */
/** @typedef {"applied" | "current" | "stale" | "gap" | "deleted"} Taken */

/**
 * A copy of a context, kept up to date by the server's messages, in whatever order they come.
 *
 * Positions cannot be read: which is the older one is known only of those that it has been at. So
 * once it has noticed that it lacks something, only an answer settles that, to a question (`ask`)
 * from after it was noticed; where questions do not help, it asks for everything.
 */
export class Replica {
  /** @type {State | null} None before the first reply, and once the context is gone. */
  state = null;
  /** @type {Position | null} */
  position = null;
  deleted = false;
  #passed = new Set();
  #moves = 0;
  #gaps = 0;
  #settled = 0; // so many of the gaps are made good
  #fruitless = 0;

  /** Whether it knows that it lacks something. */
  get needsSync() {
    return (this.position === null && !this.deleted) || this.#settled < this.#gaps;
  }

  /** Whether it is at this position, or came by it. @param {Position} position */
  knows(position) {
    return position === this.position || this.#passed.has(position);
  }

  /** What to ask with, as `since`; give it back with the first answer. */
  ask() {
    const everything = this.#fruitless >= FRUITLESS;
    if (everything) this.#passed.clear(); // whatever the server has is to be taken
    const since = everything ? null : this.position;
    return { since, gaps: this.#gaps, moves: this.#moves };
  }

  /**
   * Take a message: `applied`; `current`: it told nothing new; `stale`: it is older than what is
   * known; `gap`: something is missing before it, so ask; `deleted`. Throws a `ChordError` for a
   * state that cannot be read.
   *
   * @param {any} message @param {Question | null} [question]  What this is the first answer to.
   * @returns {Taken}
   */
  receive(message, question = null) {
    if (question === null) return this.#take(message);
    const overtaken = question.moves !== this.#moves;
    if (!overtaken) this.#passed.delete(message.position); // it is the latest that the server had
    const taken = this.#take(message);
    // nobody can tell whether a full state is newer than what was taken meanwhile
    if (overtaken && taken === "applied" && message.type === "full") this.#miss();
    this.#settle(question, taken);
    return taken;
  }

  /**
   * Take the answer that there is no such context; `gap` where it was overtaken.
   *
   * @param {Question | null} [question]
   */
  forget(question = null) {
    if (question !== null && question.moves !== this.#moves) return this.#miss();
    this.#begin();
    this.deleted = true;
    this.#settled = this.#gaps;
    this.#fruitless = 0;
    return "deleted";
  }

  /** @returns {Taken} */
  #take(message) {
    switch (message.type) {
      case "full":
        return this.#takeFull(message);
      case "delta":
        return this.#takeDelta(message);
      case "current":
        if (message.position === this.position) return "current";
        return this.#doubt(message.position);
      case "deleted":
        if (this.position === null || message.position === this.position) return this.forget();
        return this.#doubt(message.position);
      default:
        throw malformed(`no reply: ${message.type}`);
    }
  }

  #takeFull({ position, state, types, reason }) {
    if (reason === "ahead") this.#passed.clear(); // the server has lost what we know
    else if (this.#passed.has(position)) return "stale";
    this.#move(position, raise(state, types));
    this.deleted = false;
    return "applied";
  }

  #takeDelta({ from, position, changes, types }) {
    if (this.position === null || from !== this.position) return this.#doubt(position);
    let state;
    try {
      state = apply(this.state ?? EMPTY, raise(changes, types));
    } catch {
      this.#begin(); // what we have is not what it seemed
      return this.#miss();
    }
    this.#move(position, state);
    return "applied";
  }

  /** @returns {Taken} */
  #doubt(position) {
    return this.knows(position) ? "stale" : this.#miss();
  }

  /** @returns {Taken} */
  #miss() {
    this.#gaps += 1;
    return "gap";
  }

  #begin() {
    this.position = null;
    this.state = null;
    this.#passed.clear();
  }

  #move(position, state) {
    if (this.position !== null) this.#passed.add(this.position);
    this.#passed.delete(position);
    if (this.#passed.size > KEPT) this.#passed.delete(this.#passed.values().next().value);
    this.state = state;
    this.position = position;
    this.#moves += 1;
  }

  #settle(question, taken) {
    if (taken !== "gap") this.#settled = Math.max(this.#settled, question.gaps);
    this.#fruitless = this.needsSync ? this.#fruitless + 1 : 0;
  }
}

// -- events, time --------------------------------------------------------------------------------

class Emitter {
  #listeners = new Map();
  #untold = [];

  /**
   * Call a function at each event of this name. Returns what takes it away again.
   *
   * @param {string} name @param {(event: any) => void} listener @returns {() => void}
   */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** @internal One listener's exception is reported, and hinders neither the others nor us. */
  _emit(name, event) {
    this.#untold.push([name, event]);
    if (this.#untold.length > 1) return; // who tells already tells this, too, in turn
    for (; this.#untold.length; this.#untold.shift()) this.#tell(...this.#untold[0]);
  }

  #tell(name, event) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        report(error);
      }
    }
  }
}

function report(error) {
  if (globalThis.reportError) return globalThis.reportError(error);
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * @typedef {object} Clock
 * @property {() => number} now  Seconds since whenever.
 * @property {() => number} [wall]  Seconds since whenever, those too in which the machine slept.
 * @property {(seconds: number, act: () => void) => () => void} after  Returns what calls it off.
 */

/** @type {Clock} */
const REAL_CLOCK = {
  now: () => performance.now() / 1000,
  wall: () => Date.now() / 1000,
  after(seconds, act) {
    const timer = setTimeout(act, seconds * 1000);
    return () => clearTimeout(timer);
  },
};

/** One thing to do later: a new time takes the place of the old one. */
class Timer {
  #clock;
  /** @type {(() => void) | null} */
  #cancel = null;

  constructor(clock) {
    this.#clock = clock;
  }

  get set() {
    return this.#cancel !== null;
  }

  start(seconds, act) {
    this.stop();
    this.#cancel = this.#clock.after(seconds, () => {
      this.#cancel = null;
      act();
    });
  }

  stop() {
    this.#cancel?.();
    this.#cancel = null;
  }
}

/** What tells the seconds since now: by either clock, for one may stand and one may be set back. */
function stopwatch(clock) {
  const read = () => [clock.now(), clock.wall?.() ?? 0];
  const start = read();
  return () => Math.max(...read().map((time, nth) => time - start[nth]));
}

/** Seconds until the next of so many tries: anything up to a limit that doubles. */
const backoff = (tries, random, { first = 0.5, longest = 30 } = {}) =>
  random() * Math.min(longest, first * 2 ** Math.min(tries, 16));

// -- the connection ------------------------------------------------------------------------------

const SUBPROTOCOL = "chord.v1.json";
const PONG = JSON.stringify({ type: "pong" });
const OPENING = 15; // seconds until the server must have said hello
const STABLE = 5; // seconds after which a connection was a good one
const LONG_PAUSE = 10; // seconds, at least, where the server finds that there is too much

const FINAL = new Map([
  [4400, "malformed"],
  [4401, "unauthenticated"],
  [4403, "forbidden"],
]);

/** Sends no faster than a server allows, and leaves a part of that for the ways' unevenness. */
class Pace {
  #clock;
  #send;
  #queue = [];
  #timer;
  #rate = Infinity;
  #burst = Infinity;
  #spent = 0; // of the burst
  #then = 0;

  constructor(clock, send) {
    this.#clock = clock;
    this.#send = send;
    this.#timer = new Timer(clock);
  }

  begin({ rate = Infinity, burst = Infinity }) {
    this.#rate = 0.75 * rate;
    this.#burst = Math.max(1, 0.75 * burst);
    this.#spent = 0;
    this.#then = this.#clock.now();
  }

  send(text, sent) {
    this.#queue.push([text, sent]);
    if (!this.#timer.set) this.#go();
  }

  stop() {
    this.#timer.stop();
    this.#queue = [];
  }

  #go() {
    const now = this.#clock.now();
    if (now > this.#then) this.#spent = Math.max(0, this.#spent - (now - this.#then) * this.#rate);
    this.#then = now;
    const many = Math.floor(this.#burst - this.#spent);
    for (const [text, sent] of this.#queue.splice(0, many)) {
      this.#spent += 1;
      this.#send(text);
      sent();
    }
    if (this.#queue.length) this.#timer.start(1 / this.#rate, () => this.#go());
  }
}

/** A WebSocket that comes back: it says when there is one, and what came over it. */
class Line {
  /** @type {"connecting" | "open" | "waiting" | "closed"} */
  status = "connecting";
  limits = {};
  #options;
  #events;
  /** @type {any} */
  #socket = null;
  #tries = 0;
  #tokens = 0; // asked for
  #since = 0;
  #heartbeat = 0;
  #pause;
  #silence;
  #pace;

  constructor(options, events) {
    this.#options = options;
    this.#events = events;
    this.#pause = new Timer(options.clock);
    this.#silence = new Timer(options.clock);
    this.#pace = new Pace(options.clock, (text) => this.#socket.send(text));
  }

  connect() {
    this.#pause.stop();
    this.#turn("connecting");
    if (this.status !== "connecting") return; // it was closed by who was told
    const { token } = this.#options;
    if (typeof token !== "function") return this.#open(token);
    this.#tokens += 1;
    const nth = this.#tokens;
    const ifOurs = (act) => (said) =>
      this.#tokens === nth && this.status === "connecting" && act(said);
    this.#silence.start(OPENING, () => this.#doWithout(new Error("there are no credentials")));
    Promise.resolve()
      .then(token)
      .then(ifOurs((said) => this.#open(said)))
      .catch(ifOurs((error) => this.#doWithout(error)));
  }

  /** Try at once, where a pause would go on. */
  hurry() {
    if (this.status === "waiting") this.connect();
  }

  /** Send a text, as soon as the server's limits allow, and tell when it goes. */
  send(text, sent = () => {}) {
    if (this.status === "open") this.#pace.send(text, sent);
  }

  close() {
    const socket = this.#leave();
    this.#pause.stop();
    this.#turn("closed");
    socket?.close(1000);
  }

  #doWithout(error) {
    this.#leave();
    this.#retry();
    this.#events.fault(error);
  }

  #open(token) {
    const { url, protocols, WebSocket } = this.#options;
    const spoken = token == null ? protocols : [...protocols, tokenProtocol(token)];
    const socket = new WebSocket(url, [SUBPROTOCOL, ...spoken]);
    this.#socket = socket;
    const ifOurs = (act) => (event) => this.#socket === socket && act(event);
    socket.onmessage = ifOurs(({ data }) => this.#hear(data));
    socket.onclose = ifOurs(({ code, reason }) => this.#lose(code, reason));
    socket.onerror = () => {}; // it is closed next
    this.#silence.start(OPENING, () => this.#lose(4408, "no hello"));
  }

  #hear(data) {
    if (this.#heartbeat) this.#listen();
    let message;
    try {
      message = JSON.parse(data);
      if (typeof message?.type !== "string") throw malformed("no message");
    } catch {
      return this.#events.fault(malformed("the server said what is no message"));
    }
    if (message.type === "hello") this.#greet(message);
    else if (message.type === "ping") this.#socket.send(PONG);
    else this.#events.message(message);
  }

  #greet({ heartbeat, limits }) {
    this.limits = limits ?? {};
    this.#pace.begin(this.limits);
    this.#heartbeat = heartbeat;
    this.#since = this.#options.clock.now();
    this.#listen();
    this.#turn("open");
  }

  #listen() {
    this.#silence.start(2.5 * this.#heartbeat, () => this.#lose(4408, "silent"));
  }

  #lose(code, reason) {
    const lived = this.status === "open" && this.#options.clock.now() - this.#since >= STABLE;
    if (lived) this.#tries = 0;
    this.#leave()?.close();
    if (FINAL.has(code) && !(code === 4401 && typeof this.#options.token === "function")) {
      const name = FINAL.get(code) ?? "";
      return this.#turn("closed", new ChordError(name, reason || `closed: ${code}`));
    }
    this.#retry(code === 4429 ? LONG_PAUSE : 0);
    this.#events.lost(code);
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    this.#heartbeat = 0;
    this.#silence.stop();
    this.#pace.stop();
    return socket;
  }

  #retry(atLeast = 0) {
    const pause = atLeast + backoff(this.#tries, this.#options.random);
    this.#tries += 1;
    this.#pause.start(pause, () => this.connect());
    this.#turn("waiting");
  }

  #turn(status, /** @type {ChordError | undefined} */ error = undefined) {
    if (status === this.status) return;
    this.status = status;
    this.#events.status(status, error);
  }
}

/** A browser cannot set headers of a WebSocket: credentials go as one more subprotocol. */
function tokenProtocol(token) {
  const text = toBase64(new TextEncoder().encode(token));
  return `chord.token.${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

// -- what was asked and not answered yet ---------------------------------------------------------

const PATIENCE = 10; // seconds until a question is said again
const TEMPORARY = new Set(["rate-limited", "overloaded", "quarantined", "unavailable", "closing"]);
const MAX_TRIES = 6;

/** Requests, in order, until they are answered: said again where that cannot do them twice. */
class Outbox {
  #line;
  #options;
  #requests = new Map();

  constructor(line, options) {
    this.#line = line;
    this.#options = options;
  }

  get size() {
    return this.#requests.size;
  }

  has(ref) {
    return this.#requests.has(ref);
  }

  /** Send a message and return what answers it; `again`: it may be sent more than once. */
  ask(message, again) {
    if (this.#line.status === "closed") return Promise.reject(closed());
    if (this.size >= this.#options.queue) {
      return Promise.reject(new ChordError("overloaded", "too much is waiting for an answer"));
    }
    return new Promise((resolve, reject) => {
      const timer = new Timer(this.#options.clock);
      const text = JSON.stringify(message);
      const { ref } = message;
      const request = { ref, text, again, resolve, reject, timer, tries: 0, age: null, open: 0 };
      this.#requests.set(ref, request);
      this.#say(request);
    });
  }

  answer(message) {
    this.#take(message.ref)?.resolve(message);
  }

  fail(message) {
    const request = this.#requests.get(message.ref);
    const error = toError(message);
    if (error.applied === false) request.open -= 1; // of so many sendings nobody can tell
    if (request.open <= 0) request.age = null;
    if (this.#mayHelp(error, request)) return this.#later(request, error.retryAfter);
    // a name is looked up before what is expected: a conflict tells of every sending
    if (request.open > 0 && error.code !== "conflict") error.applied = null;
    this.#take(message.ref).reject(error);
  }

  /** There is a connection (again): say everything that has no answer. */
  sendAll() {
    for (const request of [...this.#requests.values()]) this.#say(request);
  }

  /** The connection is gone: what cannot be sent twice ends here. */
  lose(code) {
    if (code === 1009 || code === 4413) this.#dropLargest();
    for (const { ref, again, age } of [...this.#requests.values()]) {
      if (!again && age !== null) this.#giveUp(ref);
    }
  }

  end(error) {
    for (const [ref, { age }] of [...this.#requests]) {
      this.#take(ref).reject(unanswered(error, age !== null));
    }
  }

  #say(request) {
    const { clock, opLifetime } = this.#options;
    if (this.#line.status !== "open") return;
    if (request.age !== null && request.age() > opLifetime) {
      return this.#giveUp(request.ref);
    }
    if (bytesOf(request.text) > (this.#line.limits.max_message ?? Infinity)) {
      return this.#refuseSize(request);
    }
    this.#line.send(request.text, () => {
      if (!this.#requests.has(request.ref)) return;
      request.age ??= stopwatch(clock);
      request.open += 1;
      if (request.again) request.timer.start(PATIENCE, () => this.#say(request));
    });
  }

  #mayHelp(error, request) {
    const { again, tries } = request;
    if (error.code === "closing") return again;
    return again && tries < MAX_TRIES && (error.applied === null || TEMPORARY.has(error.code));
  }

  #later(request, atLeast = 0) {
    const pause = atLeast + backoff(request.tries, this.#options.random);
    request.tries += 1;
    request.timer.start(pause, () => this.#say(request));
  }

  #take(ref) {
    const request = this.#requests.get(ref);
    request?.timer.stop();
    this.#requests.delete(ref);
    return request;
  }

  #giveUp(ref) {
    const text = "there was no answer: it may have been done";
    this.#take(ref).reject(new ChordError("unknown-outcome", text, { applied: null }));
  }

  /** Sent again it would close the next connection, too. */
  #dropLargest() {
    const sent = [...this.#requests.values()].filter(({ age }) => age !== null);
    const [largest] = sent.sort((one, other) => other.text.length - one.text.length);
    if (largest) this.#refuseSize(largest);
  }

  #refuseSize({ ref }) {
    const text = "the message is larger than the server allows";
    this.#take(ref).reject(new ChordError("too-large", text));
  }
}

const bytesOf = (text) => new TextEncoder().encode(text).length;

const closed = () => new ChordError("closed", "this client is closed");

const unanswered = ({ code, message }, sent) =>
  new ChordError(code, message, { applied: sent ? null : false });

// -- a watched context ---------------------------------------------------------------------------

const SETTLING = 0.1; // seconds in which what was acknowledged is mostly seen, too

/**
 * @typedef {object} WriteOptions
 * @property {string} [opId]  The write's name; made up where there is none. It is done once.
 * @property {Position | 0} [expected]  Where the context must be; 0: there must be none.
 * @property {object} [create]  An update begins with this state where there is none.
 * @property {boolean} [ephemeral]  The update may be coalesced with later ones.
 * @property {boolean} [optimistic]  Show it in `room.state` before the server has answered.
 * @property {number} [timeout]  Seconds that the server has for it.
 */

/**
 * A context that is watched. Events of `on`:
 *
 * - `change`: `{state, previous, changes, reply}`. `changes` is what `diff` says of the two,
 *   worked out when it is looked at; `reply` is `full` or `delta`, null for what was done here.
 * - `deleted`: the context is gone, and `state` null. A write through this room that makes it anew
 *   watches it again.
 * - `error`: a `ChordError`; the room does not go on where its `status` is `ended`.
 * - `status`: `connecting`, `live` or `ended`.
 */
export class Room extends Emitter {
  /** @type {string} */
  id;
  /** @type {"connecting" | "live" | "ended"} */
  status = "connecting";
  /** @type {State | null} Read-only; what was written optimistically is in it. */
  state = null;
  /** @type {Promise<Room>} Until there is a state, or it is known that there is none. */
  ready;
  #chord;
  #options;
  #replica = new Replica();
  #shown = [];
  /** @type {{position: Position | null, state: State | null}} What of the replica is shown. */
  #base = { position: null, state: null };
  #held = []; // what the replica came to since, while it may tell of what is shown already
  #overlaid = false;
  #closed = false;
  /** @type {number | null} */
  #ref = null;
  /** @type {Question | null} */
  #question = null;
  #asks = 0;
  #failures = 0;
  #failedAt = -Infinity;
  #heardAt = 0;
  #asking;
  #checking;
  #settling;
  #holding;
  #settleReady;

  /** @internal Made by `Chord.watch`. */
  constructor(chord, id, options) {
    super();
    this.id = id;
    this.#chord = chord;
    this.#options = options;
    this.#asking = new Timer(options.clock);
    this.#checking = new Timer(options.clock);
    this.#settling = new Timer(options.clock);
    this.#holding = new Timer(options.clock);
    this.ready = this.#promise();
  }

  /** @type {Position | null} What the server's part of the state is at. */
  get position() {
    return this.#base.position;
  }

  /** How many optimistic writes are in `state` that the server has not shown yet. */
  get pending() {
    return this.#shown.length;
  }

  /**
   * Merge a partial state, with write operators, into the context.
   *
   * @param {object} changes @param {WriteOptions} [options] @returns {Promise<Commit>}
   */
  async update(changes, { optimistic = false, ...options } = {}) {
    const said = lowerChanges(changes);
    const created = options.create && lowerState(options.create);
    const show = (state) => put(state ?? created?.read() ?? refuseNothing(), said.read());
    const entry = optimistic && { show, adds: said.types.some(([, tag]) => ADDING.has(tag)) };
    return this.#write(entry, () => this.#chord._update(this.id, said, options));
  }

  /**
   * Make this the whole state.
   *
   * @param {object} state @param {WriteOptions} [options] @returns {Promise<Commit>}
   */
  async set(state, { optimistic = false, ...options } = {}) {
    const said = lowerState(state);
    const entry = optimistic && { show: () => said.read(), adds: false };
    return this.#write(entry, () => this.#chord._set(this.id, said, options));
  }

  /** Delete the context. @param {{expected?: Position}} [options] @returns {Promise<Commit>} */
  delete(options) {
    return this.#chord.delete(this.id, options);
  }

  /** Call a command of the application's. @param {string} name @param {...any} args */
  call(name, ...args) {
    return this.#chord.call(this.id, name, ...args);
  }

  /** Watch no more, once it is closed as often as it was asked for. */
  close() {
    this.#chord._leave(this);
  }

  /** @internal Ask the server for what is lacking, and to go on from there. */
  _ask() {
    if (this.#closed) return;
    this.#asking.stop();
    this.#checking.stop();
    this.#ref = this.#chord._nextRef();
    this.#question = this.#replica.ask();
    const { since } = this.#question;
    const { interval } = this.#options;
    const message = { type: "watch", context: this.id, since, interval, ref: this.#ref };
    const sent = () => message.ref === this.#ref && this.#again(PATIENCE);
    if (!this.#chord._send(message, sent)) this.#ref = null;
  }

  /** @internal Somebody else wants the replies as often as this. */
  _hasten(interval = 0) {
    if (interval >= (this.#options.interval ?? 0)) return;
    this.#options = { ...this.#options, interval };
    if (this.status !== "ended") this._ask();
  }

  /** @internal Whether this is the name of its question. */
  _asks(ref) {
    return this.#ref !== null && ref === this.#ref;
  }

  /** @internal */
  _receive(message) {
    const answers = this._asks(message.ref);
    if (answers) this.#answered();
    const taken = this.#replica.receive(message, answers ? this.#question : null);
    if (taken === "deleted") return this.#gone();
    const settled = taken === "applied" || taken === "current" ? this.#settled() : [];
    this.#hold({ settled, reply: taken === "applied" ? message.type : null });
    if (this.#closed) return;
    if (answers) this.#turn("live");
    if (this.#replica.state !== null) this.#settleReady.resolve(this);
    this.#heal();
  }

  /** @internal An error of the watch, or one that ended it. */
  _fail(message) {
    const answers = this._asks(message.ref);
    if (message.ref !== undefined && !answers) return;
    const error = toError(message);
    this.#answered();
    if (error.code === "not-found" && this.#replica.position !== null) {
      return this.#miss(answers ? this.#question : null);
    }
    this._emit("error", error);
    if (PASSING.has(error.code)) return this.#recover(error.retryAfter ?? 0);
    this.#settleReady.reject(error);
    this.#replica.forget();
    this.#end();
  }

  #miss(question) {
    if (this.#replica.forget(question) === "deleted") this.#gone();
    else this.#again(0);
  }

  /** @internal What came cannot be read: ask anew, in a while. */
  _mistrust() {
    this.#answered();
    this.#again(0);
  }

  /** @internal The connection is gone. */
  _lose() {
    this.#ref = null;
    for (const timer of [this.#asking, this.#checking]) timer.stop();
    if (this.status === "live") this.#turn("connecting");
  }

  /** @internal */
  _end(error) {
    this.#closed = true;
    this.#settleReady.reject(error);
    this.#end();
  }

  async #write(optimistic, send) {
    const entry = optimistic && { ...optimistic, doneAt: null };
    if (entry) {
      this.#shown.push(entry);
      this.#show(null);
    }
    try {
      const commit = await send();
      this.#acknowledged(entry, commit);
      return commit;
    } catch (error) {
      this.#drop(entry);
      throw error;
    }
  }

  /** The acknowledgement and what the watch says of it may come in any order. */
  #acknowledged(entry, { position, changed }) {
    if (this.status === "ended" && position !== null && !this.#closed) this._reopen();
    if (!entry) return;
    const known = !changed || this.#closed || this.#replica.knows(position);
    if (known) return this.#drop(entry, position);
    entry.doneAt = position;
    if (!this.#settling.set) this.#settling.start(SETTLING, () => this.#ref ?? this._ask());
  }

  /** What was acknowledged before a reply is in it. */
  #settled() {
    this.#settling.stop();
    return this.#shown.filter(({ doneAt }) => doneAt !== null);
  }

  /**
   * What the replica came to may tell of a write that has no acknowledgement yet. One that adds
   * would be seen twice: for a moment, wait for its acknowledgement.
   */
  #hold({ settled, reply }) {
    const { position, state } = this.#replica;
    this.#held.push({ position, state, settled, reply });
    if (this.state === null || !this.#adding()) return this.#release();
    if (!this.#holding.set) this.#holding.start(SETTLING, () => this.#release());
  }

  #adding() {
    return this.#shown.some(({ adds, doneAt }) => adds && doneAt === null);
  }

  #release(many = this.#held.length) {
    const released = this.#held.splice(0, many);
    if (this.#held.length === 0) this.#holding.stop();
    this.#base = released.at(-1) ?? this.#base;
    const settled = new Set(released.flatMap((held) => held.settled));
    this.#shown = this.#shown.filter((entry) => !settled.has(entry));
    this.#show(released.filter(({ reply }) => reply !== null).at(-1)?.reply ?? null);
  }

  /** What was held up to this position is seen with it, and all if nothing is left to wait for. */
  #drop(entry, position = null) {
    if (!this.#shown.includes(entry)) return;
    this.#shown = this.#shown.filter((other) => other !== entry);
    const upTo = this.#held.findIndex((held) => held.position === position) + 1;
    this.#release(this.#adding() ? upTo : this.#held.length);
  }

  /** Tell what is to be seen now: what the server said, and upon it what it has not said yet. */
  #show(reply) {
    const previous = this.state;
    const state = this.#shown.reduce(showUpon, this.#base.state);
    const overlaid = this.#overlaid || this.#shown.length > 0;
    this.#overlaid = this.#shown.length > 0;
    const surely = reply === "delta" && !overlaid; // a delta tells of nothing but changes
    if (surely ? state === previous : equal(state, previous)) return;
    this.state = state;
    /** @type {Changes | null} */
    let changes = null;
    const event = { state, previous, reply };
    const get = () => (changes ??= diff(previous ?? EMPTY, state ?? EMPTY));
    this._emit("change", Object.defineProperty(event, "changes", { get, enumerable: true }));
  }

  #answered() {
    this.#ref = null;
    this.#asking.stop();
  }

  /** Ask where something is known to lack, the sooner the fewer the questions that did not help. */
  #heal() {
    if (this.#closed) return;
    this.#heardAt = this.#options.clock.now();
    if (this.#ref !== null) return;
    if (this.#replica.needsSync) return this.#asking.set || this.#again(0);
    this.#asks = 0;
    if (!this.#checking.set) this.#check(this.#options.verify);
  }

  /** An answer alone is no sign that the watch will last: pauses grow until it was quiet. */
  #recover(atLeast) {
    const now = this.#options.clock.now();
    if (now - this.#failedAt >= QUIET) this.#failures = 0;
    this.#failedAt = now;
    this.#asks = Math.max(this.#asks, this.#failures);
    this.#failures += 1;
    this.#again(atLeast);
  }

  #again(atLeast) {
    if (this.#closed) return;
    const { random } = this.#options;
    const pause = this.#asks === 0 && atLeast === 0 ? 0 : backoff(this.#asks, random, HEALING);
    this.#asks += 1;
    if (atLeast + pause === 0) return this._ask();
    this.#asking.start(atLeast + pause, () => this._ask());
  }

  /** What went missing last is missed by nothing that follows: ask, once it has been quiet. */
  #check(seconds) {
    if (!seconds) return;
    this.#checking.start(seconds, () => {
      const left = this.#heardAt + this.#options.verify - this.#options.clock.now();
      if (left > 0) this.#check(left);
      else this._ask();
    });
  }

  #gone() {
    this.#end();
    this._emit("deleted", { id: this.id });
  }

  #end() {
    this._lose();
    this.#turn("ended");
    this.#hold({ settled: this.#settled(), reply: null });
    this.#release();
  }

  /** @internal Ask for it anew, once it has ended. */
  _reopen() {
    this.ready = this.#promise();
    this.#turn("connecting");
    this._ask();
  }

  #promise() {
    const ready = new Promise((resolve, reject) => (this.#settleReady = { resolve, reject }));
    ready.catch(() => {}); // told by the event, too
    return ready;
  }

  #turn(status) {
    if (status === this.status) return;
    this.status = status;
    this._emit("status", { status });
  }
}

const HEALING = { first: 0.1, longest: 10 };
const QUIET = 30; // seconds without an error, after which the next one is the first again
const ADDING = new Set(["append", "increment"]);
const PASSING = new Set([...TEMPORARY, "internal"]);

/** A write upon a state; one that does not fit any more is not to be seen. */
function showUpon(state, { show }) {
  try {
    return show(state);
  } catch {
    return state;
  }
}

function refuseNothing() {
  throw new TypeError("there is no context to update");
}

/** What is sent, and from its very text what is shown: nobody can change it meanwhile. */
function lowerState(state, options) {
  if (!isDict(state)) throw new TypeError("a state is an object");
  const { plain, types } = lower(state, options);
  const text = JSON.stringify(plain);
  let value;
  return { plain, types, read: () => (value ??= raise(JSON.parse(text), types, options)) };
}

const lowerChanges = (changes) => lowerState(changes, { operators: true });

// -- the client ----------------------------------------------------------------------------------

/**
 * @typedef {object} ConnectOptions
 * @property {string | (() => string | Promise<string>)} [token]  Credentials, or what gives them
 *   anew at each connection, within 15 seconds; they go as the subprotocol
 *   `chord.token.<base64url>`.
 * @property {string[]} [protocols]  More subprotocols to offer.
 * @property {number} [queue]  How many requests may wait for an answer; 1000.
 * @property {number} [verify]  Seconds of quiet after which a room asks whether it lacks anything;
 *   60, and 0 for never.
 * @property {number} [opLifetime]  Seconds in which a write may be sent again: less than the
 *   server's `op_ttl`, which is 300 unless it is set otherwise; 240.
 * @property {Clock} [clock] @property {() => number} [random] @property {any} [WebSocket]
 */

/**
 * A connection to a server, which comes back by itself. Events of `on`: `status`, with `{status,
 * error}`: `connecting`, `open`, `waiting` (until it tries again) or `closed`; and `error`, with
 * what the server said of no request and no room, or what `token` threw.
 */
export class Chord extends Emitter {
  /** @type {Line} */
  #line;
  #outbox;
  #options;
  #rooms = new Map();
  #ref = 0;
  #hurry = () => this.#line.hurry();

  /** @internal Made by `connect`. */
  constructor(options) {
    super();
    this.#options = options;
    this.#line = new Line(options, {
      message: (message) => this.#receive(message),
      fault: (error) => this._emit("error", error),
      lost: (code) => this.#lose(code),
      status: (status, error) => this.#turn(status, error),
    });
    this.#outbox = new Outbox(this.#line, options);
    globalThis.addEventListener?.("online", this.#hurry);
    this.#line.connect();
  }

  /** @type {"connecting" | "open" | "waiting" | "closed"} */
  get status() {
    return this.#line.status;
  }

  /** @type {number} How many requests wait for an answer. */
  get waiting() {
    return this.#outbox.size;
  }

  /**
   * Keep a copy of a context. The same context is the same room.
   *
   * @param {string} id
   * @param {{interval?: number}} [options]  `interval`: seconds between two replies, at least; of
   *   who asked for the same room the least counts.
   * @returns {Room}
   */
  watch(id, { interval } = {}) {
    if (this.status === "closed") throw closed();
    const known = this.#rooms.get(id);
    if (known) {
      known.holders += 1;
      known.room._hasten(interval);
      if (known.room.status === "ended") known.room._reopen();
      return known.room;
    }
    const room = new Room(this, id, { ...this.#options, interval });
    this.#rooms.set(id, { room, holders: 1 });
    room._ask();
    return room;
  }

  /**
   * Read a context once.
   *
   * @param {string} id @returns {Promise<{state: State, position: Position}>}
   */
  async get(id) {
    const { state, types, position } = await this.#request({ type: "sync", context: id }, true);
    return { state: raise(state, types), position };
  }

  /**
   * As `Room.set`, but for `optimistic`.
   *
   * @param {string} id @param {object} state @param {WriteOptions} [options]
   */
  async set(id, state, options) {
    return this._set(id, lowerState(state), options);
  }

  /**
   * As `Room.update`, but for `optimistic`.
   *
   * @param {string} id @param {object} changes @param {WriteOptions} [options]
   */
  async update(id, changes, options) {
    return this._update(id, lowerChanges(changes), options);
  }

  /**
   * Delete a context. It has no name of its own: lost with its connection, it is `unknown-outcome`.
   *
   * @param {string} id @param {{expected?: Position}} [options] @returns {Promise<Commit>}
   */
  async delete(id, { expected } = {}) {
    return toCommit(await this.#request({ type: "delete", context: id, expected }, false));
  }

  /**
   * Call a command of the application's, once: as with `delete`, it may be `unknown-outcome`.
   *
   * @param {string} id @param {string} name @param {...any} args @returns {Promise<any>}
   */
  async call(id, name, ...args) {
    const { plain, types } = lower(args);
    const message = { type: "call", context: id, name, arguments: plain };
    const { value, types: ofValue } = await this.#request(withTypes(message, types), false);
    return raise(value, ofValue);
  }

  /** Close the connection for good: what has no answer is refused, and every room ends. */
  close() {
    if (this.status !== "closed") this.#line.close();
  }

  /** @internal @param {string} id @param {any} said @param {WriteOptions} [options] */
  async _set(id, { plain, types }, { opId = newOp(), expected, timeout } = {}) {
    const message = { type: "set", context: id, state: plain, expected, op: opId, timeout };
    return toCommit(await this.#request(withTypes(message, types), true));
  }

  /** @internal @param {string} id @param {any} said @param {WriteOptions} [options] */
  async _update(id, { plain, types }, options = {}) {
    const { opId = newOp(), expected, create, ephemeral, timeout } = options;
    const message = { type: "update", context: id, changes: plain, expected, ephemeral, timeout };
    if (!ephemeral || options.opId) message.op = opId; // what has a name is not coalesced
    if (create) Object.assign(message, createFields(lowerState(create)));
    return toCommit(await this.#request(withTypes(message, types), "op" in message));
  }

  /** @internal */
  _nextRef() {
    this.#ref += 1;
    return this.#ref;
  }

  /** @internal Send what is of no use later; false where there is no connection. */
  _send(message, sent) {
    if (this.status !== "open") return false;
    this.#line.send(JSON.stringify(message), sent);
    return true;
  }

  /** @internal */
  _leave(room) {
    const known = this.#rooms.get(room.id);
    if (known?.room !== room) return;
    known.holders -= 1;
    if (known.holders > 0) return;
    this.#rooms.delete(room.id);
    this._send({ type: "unwatch", context: room.id });
    room._end(closed());
  }

  #request(message, again) {
    return this.#outbox.ask({ ...message, ref: this._nextRef() }, again);
  }

  #receive(message) {
    const { type, ref, context } = message;
    const room = this.#rooms.get(context)?.room;
    try {
      if (type === "error") this.#fail(message, room);
      else if (ANSWERS.has(type) && this.#outbox.has(ref)) this.#outbox.answer(message);
      else if (REPLIES.has(type)) this.#reply(message, room);
    } catch (error) {
      this._emit("error", error);
      room?._mistrust();
    }
  }

  #reply(message, room) {
    if (!room) this._send({ type: "unwatch", context: message.context });
    else if (room.status !== "ended") room._receive(message);
  }

  #fail(message, room) {
    const { ref } = message;
    if (ref !== undefined && this.#outbox.has(ref)) return this.#outbox.fail(message);
    const asking = room ?? [...this.#rooms.values()].find((known) => known.room._asks(ref))?.room;
    if (asking) asking._fail(message);
    else this._emit("error", toError(message));
  }

  #lose(code) {
    this.#outbox.lose(code);
    for (const { room } of this.#rooms.values()) room._lose();
  }

  #turn(status, error) {
    if (status === "open") this.#begin();
    if (status === "closed") this.#end(error ?? closed());
    this._emit("status", { status, error });
  }

  #begin() {
    for (const { room } of this.#rooms.values()) if (room.status !== "ended") room._ask();
    this.#outbox.sendAll();
  }

  #end(error) {
    globalThis.removeEventListener?.("online", this.#hurry);
    this.#outbox.end(error);
    for (const { room } of this.#rooms.values()) room._end(error);
    this.#rooms.clear();
  }
}

const ANSWERS = new Set(["done", "result", "full", "delta", "current"]);
const REPLIES = new Set(["full", "delta", "current", "deleted"]);

const toCommit = ({ position, changed }) => ({ position, changed });

const withTypes = (message, types) => (types.length ? { ...message, types } : message);

const createFields = ({ plain, types }) =>
  types.length ? { create: plain, create_types: types } : { create: plain };

/** `randomUUID` is there in secure contexts only. */
function newOp() {
  const uuid = crypto.randomUUID?.();
  if (uuid) return uuid;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Connect to the WebSocket of a Chord server: at once, and again whenever the connection is lost.
 *
 * @param {string} url  `wss://host/chord/ws`; one that is relative is of the page's own host.
 * @param {ConnectOptions} [options]
 * @returns {Chord}
 */
export function connect(url, options = {}) {
  const whole = new URL(url, globalThis.location?.href);
  whole.protocol = whole.protocol.replace("http", "ws");
  return new Chord({
    protocols: [],
    queue: 1000,
    verify: 60,
    opLifetime: 240,
    clock: REAL_CLOCK,
    random: Math.random,
    WebSocket: globalThis.WebSocket,
    ...options,
    url: whole.href,
  });
}
