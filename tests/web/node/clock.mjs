/** Hold a clock that is moved by hand, and chance that can be repeated. */

const flush = () => new Promise((resolve) => setImmediate(resolve));

export class ManualClock {
  #time = 0;
  #slept = 0;
  #timers = [];
  #count = 0;

  now = () => this.#time;

  wall = () => this.#time + this.#slept;

  after = (seconds, act) => {
    this.#count += 1;
    const timer = { at: this.#time + Math.max(0, seconds), nth: this.#count, act };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  };

  get pending() {
    return this.#timers.length;
  }

  /** The machine sleeps: nothing is done, and only the clock on the wall goes on. */
  sleep(seconds) {
    this.#slept += seconds;
  }

  /** Let time pass: whatever is due is done in turn, and what waits for it goes on. */
  async pass(seconds) {
    const end = this.#time + seconds;
    await flush();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#time = Math.max(this.#time, next.at);
      next.act();
      await flush();
    }
    this.#time = end;
  }

  #next(end) {
    const due = this.#timers.filter(({ at }) => at <= end);
    return due.sort((one, other) => one.at - other.at || one.nth - other.nth)[0];
  }
}

/** Numbers in [0, 1) that are the same for the same seed (a linear congruential generator). */
export function chance(seed) {
  let state = BigInt(seed) * 2n + 1n;
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(state >> 33n) / 2 ** 31;
  };
}
