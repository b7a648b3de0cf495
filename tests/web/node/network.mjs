/** Hold a network between clients and a server, in one thread: it may lose, repeat and delay. */

export const PERFECT = { loss: 0, repeat: 0, delay: 0.001, jitter: 0 };

/** A class of WebSockets that are all connected to this server over one network. */
export class Network {
  sockets = [];
  down = false;
  fate = PERFECT;

  constructor(server, clock, random = Math.random) {
    this.server = server;
    this.clock = clock;
    this.random = random;
    const network = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, protocols) {
        super(network, url, protocols);
      }
    };
  }

  /** Bring something over, or not, or twice, sooner or later. */
  carry(deliver) {
    const { loss, repeat, delay, jitter } = this.fate;
    const times = this.random() < loss ? 0 : this.random() < repeat ? 2 : 1;
    for (let nth = 0; nth < times; nth += 1) {
      this.clock.after(delay + jitter * this.random(), deliver);
    }
  }

  /** Every connection is gone, and nobody was told on the way. */
  cut(code = 1006) {
    for (const socket of this.sockets) socket.end(code);
  }
}

class FakeSocket {
  onmessage = null;
  onclose = null;
  onerror = null;
  readyState = 0;
  sent = [];
  #network;
  #session = null;

  constructor(network, url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.#network = network;
    network.sockets.push(this);
    network.clock.after(network.fate.delay, () => this.#open());
  }

  send(text) {
    if (this.readyState !== 1) throw new Error("not open");
    this.sent.push(JSON.parse(text));
    this.#network.carry(() => this.#session?.hear(JSON.parse(text)));
  }

  close(code = 1005) {
    if (this.readyState > 1) return;
    this.closedWith = code;
    this.#network.clock.after(this.#network.fate.delay, () => this.end(code));
    this.readyState = 2;
  }

  /** The connection is gone. */
  end(code) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#network.server.gone(this.#session);
    this.#session = null;
    this.onclose?.({ code, reason: "" });
  }

  /** Take a frame as if the server had sent it. */
  take(text) {
    if (this.readyState === 1) this.onmessage?.({ data: text });
  }

  #open() {
    if (this.readyState !== 0) return;
    if (this.#network.down) return this.end(1006);
    this.readyState = 1;
    const say = (message) => {
      const text = JSON.stringify(message);
      this.#network.carry(() => this.take(text));
    };
    this.#session = this.#network.server.accept(say, (code) => this.end(code));
  }
}
