/** Hold a WebSocket over a line that may be rough: frames are lost, repeated and reordered. */

/** What becomes of frames, for all sockets of the class that comes with it; `cut` drops them. */
export function makeRough(random = Math.random) {
  const fate = { down: false, loss: 0, repeat: 0, delay: 0 };
  const sockets = new Set();
  const carried = [0, 0, 0]; // frames that came not at all, once, twice

  /** Bring something over, or not, or twice, sooner or later. */
  function carry(deliver) {
    const times = random() < fate.loss ? 0 : random() < fate.repeat ? 2 : 1;
    carried[times] += 1;
    for (let nth = 0; nth < times; nth += 1) {
      if (fate.delay) setTimeout(deliver, 1000 * fate.delay * random());
      else deliver();
    }
  }

  class Rough {
    #real = null;

    constructor(url, protocols) {
      sockets.add(this);
      if (fate.down) setTimeout(() => this.drop());
      else this.#connect(new WebSocket(url, protocols));
    }

    send(text) {
      carry(() => this.#real?.readyState === WebSocket.OPEN && this.#real.send(text));
    }

    close(code) {
      if (code) this.#real?.close(code);
      else this.#real?.close();
    }

    /** As when the line goes dead. */
    drop() {
      this.close();
      this.#end({ code: 1006, reason: "" });
    }

    #connect(real) {
      this.#real = real;
      real.onmessage = ({ data }) => carry(() => sockets.has(this) && this.onmessage?.({ data }));
      real.onclose = (event) => this.#end(event);
    }

    #end({ code, reason }) {
      if (sockets.delete(this)) this.onclose?.({ code, reason });
    }
  }

  const cut = () => [...sockets].forEach((socket) => socket.drop());
  return { fate, carried, cut, WebSocket: Rough };
}

/** A clock by which waiting is so many times shorter. */
export const hasten = (times) => ({
  now: () => (performance.now() / 1000) * times,
  after(seconds, act) {
    const timer = setTimeout(act, (seconds * 1000) / times);
    return () => clearTimeout(timer);
  },
});

/** Numbers in [0, 1) that are the same each time. */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
