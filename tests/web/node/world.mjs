/** Hold what most tests begin with: a server, a network, a clock, and a client that uses them. */

import { connect } from "../../../chord/web/static/chord.mjs";
import { ManualClock, chance } from "./clock.mjs";
import { Network } from "./network.mjs";
import { Server } from "./server.mjs";

export const ROOM = "room:1";

export function makeWorld({ state, seed = 1, ...options } = {}) {
  const clock = new ManualClock();
  const server = new Server();
  const network = new Network(server, clock, chance(seed));
  if (state) server.set(ROOM, state);
  const { WebSocket } = network;
  const random = () => 0.5;
  const open = (more) =>
    connect("ws://host/chord/ws", { clock, random, WebSocket, ...options, ...more });
  return { clock, server, network, open, chord: open() };
}

/** As plain JSON, where objects have a prototype. */
export const plain = (value) => JSON.parse(JSON.stringify(value));

/** Everything that a room tells of a kind. */
export function collect(emitter, name) {
  const events = [];
  emitter.on(name, (event) => events.push(event));
  return events;
}

/** What the clients of a server asked to watch, in turn. */
export const watches = (server) => server.heard.filter(({ type }) => type === "watch");

/** Whatever comes of it: an error must not go unheard before it is looked at. */
export const outcome = (promise) => promise.then(plain, (error) => error);
