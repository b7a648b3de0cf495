/** Hold a small model of a server, which answers as `docs/wire.md` says, and keeps all it wrote. */

import { diff } from "../../../chord/web/static/chord.mjs";

const copy = (value) => JSON.parse(JSON.stringify(value));

export class Server {
  contexts = new Map();
  heartbeat = 20;
  limits = {};
  mute = false; // says nothing at all
  refusal = null; // what it answers writes with, instead of doing them
  heard = []; // every message of every client
  runs = []; // the op, or what was called, each time that something was done
  #lives = 0;
  #sessions = new Set();

  /** A client is there: `send` takes messages for it, `close` a code. */
  accept(send, close) {
    const session = new Session(this, send, close);
    this.#sessions.add(session);
    if (!this.mute) session.say({ type: "hello", heartbeat: this.heartbeat, limits: this.limits });
    return session;
  }

  gone(session) {
    this.#sessions.delete(session);
  }

  state(id) {
    return this.contexts.get(id)?.states.at(-1) ?? null;
  }

  position(id) {
    const context = this.contexts.get(id);
    return context ? `${context.epoch}:${context.states.length}` : null;
  }

  set(id, state) {
    const context = this.contexts.get(id);
    if (context) context.states.push(copy(state));
    else this.#begin(id, state);
    for (const session of this.#sessions) session.look(id);
  }

  #begin(id, state) {
    this.#lives += 1;
    const epoch = `e${this.#lives}`;
    this.contexts.set(id, { epoch, states: [copy(state)], ops: new Map() });
  }

  update(id, changes, types = []) {
    this.set(id, put(this.state(id), changes, (path) => tagAt(types, path), []));
  }

  delete(id) {
    const position = this.position(id);
    this.contexts.delete(id);
    for (const session of this.#sessions) session.end(id, position);
  }

  /** Lose what was written last, as a store may that was restored: the same life, but earlier. */
  lose(id, versions) {
    this.contexts.get(id).states.splice(-versions);
  }

  closeAll(code) {
    for (const session of [...this.#sessions]) session.close(code);
  }

  ping() {
    for (const session of this.#sessions) session.say({ type: "ping" });
  }

  push(message) {
    for (const session of this.#sessions) session.say(message);
  }
}

class Session {
  #server;
  #watched = new Map();

  constructor(server, say, close) {
    this.#server = server;
    this.say = say;
    this.close = close;
  }

  hear(message) {
    this.#server.heard.push(message);
    if (this.#server.mute) return;
    const { type, ref, context } = message;
    const about = this.#server.contexts.get(context);
    if (type === "unwatch") this.#watched.delete(context);
    else if (type === "watch" || type === "sync") this.#answer(message);
    else if (type === "call") this.#call(message);
    else if (type !== "pong") this.#write(message, about, ref);
  }

  look(id) {
    if (!this.#watched.has(id)) return;
    const reply = decide(this.#server, id, this.#watched.get(id));
    this.#watched.set(id, reply.position);
    if (reply.type !== "current") this.say(reply);
  }

  end(id, position) {
    if (this.#watched.delete(id)) this.say({ type: "deleted", context: id, position });
  }

  #answer({ type, ref, context, since }) {
    if (!this.#server.contexts.has(context)) return this.#refuse(ref, "not-found", { context });
    const reply = decide(this.#server, context, since ?? null);
    if (type === "watch") this.#watched.set(context, reply.position);
    this.say({ ...reply, ref });
  }

  #call({ ref, name, arguments: args }) {
    this.#server.runs.push(name);
    this.say({ type: "result", ref, value: args });
  }

  #write(message, about, ref) {
    const { type, context, op, state, changes, types, expected, create } = message;
    if (this.#server.refusal) return this.#refuse(ref, ...this.#server.refusal(message));
    if (op !== undefined && about?.ops.has(op)) {
      return this.say({ type: "done", ref, position: about.ops.get(op), changed: true });
    }
    const actual = this.#server.position(context);
    if (expected !== undefined && expected !== (actual ?? 0)) {
      return this.#refuse(ref, "conflict", { actual });
    }
    if (type === "update" && !about && !create) return this.#refuse(ref, "not-found", { context });
    this.#server.runs.push(op ?? type);
    if (type === "set") this.#server.set(context, state);
    if (type === "delete") this.#server.delete(context);
    if (type === "update") {
      if (!about) this.#server.set(context, create);
      this.#server.update(context, changes, types);
    }
    const position = this.#server.position(context);
    if (op !== undefined) this.#server.contexts.get(context).ops.set(op, position);
    this.say({ type: "done", ref, position, changed: true });
  }

  #refuse(ref, code, facts = {}) {
    this.say({ type: "error", ref, code, message: code, applied: false, ...facts });
  }
}

function decide(server, id, since) {
  const { epoch, states } = server.contexts.get(id);
  const position = server.position(id);
  const full = (reason) => ({
    type: "full",
    context: id,
    position,
    state: copy(states.at(-1)),
    reason,
  });
  if (since === null) return full("requested");
  const [life, version] = [since.split(":")[0], Number(since.split(":")[1])];
  if (life !== epoch) return full("epoch-changed");
  if (version > states.length) return full("ahead");
  if (version === states.length) return { type: "current", context: id, position };
  if (states.length - version > 10) return full("compacted");
  const changes = diff(states[version - 1], states.at(-1));
  return { type: "delta", context: id, from: since, position, changes: copy(changes) };
}

function tagAt(types, path) {
  return types.find(([place]) => JSON.stringify(place) === JSON.stringify(path))?.[1];
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** What an update makes of plain JSON, written once more, and simply. */
function put(old, value, tag, path) {
  const kind = tag(path);
  if (kind === "append") return [...(old ?? []), ...value];
  if (kind === "increment") return (old ?? 0) + value;
  if (kind === "replace" || !isObject(value)) return value;
  const made = isObject(old) ? { ...old } : {};
  for (const [key, item] of Object.entries(value)) {
    const here = [...path, key];
    if (tag(here) === "remove") delete made[key];
    else made[key] = put(made[key], item, tag, here);
  }
  return made;
}
