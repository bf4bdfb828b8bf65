/** Follows a query live: newest first, over reconnects without loss or repeat, with a bound on the rows kept. */

import { ApiError, get, isAbort, objects } from "./api.js";
import { isObject } from "./json.js";

export const KEPT_MAX = 5_000;

const BACKLOG = 200;
const SILENCE_MS = 25_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];
const FINAL = new Set(["query", "token", "memory"]);

export class Tail {
  /** `onChange(fresh)` is called after every change; `fresh` rows have just come in at the top. */
  constructor(query, onChange) {
    /** connecting, live, retrying, failed (see `error`). */
    this.state = "connecting";
    this.error = null;
    this.isPaused = false;
    this.received = 0;
    this.missed = 0;
    this.#query = query;
    this.#onChange = onChange;
  }

  #query;
  #onChange;
  #shown = [];
  #waiting = [];
  #unshown = 0;
  #cursor = null;
  #sinceCursor = 0;
  #stop = new AbortController();

  get length() {
    return this.#shown.length;
  }

  /** Row 0 is the newest. A row is a record, or `{gap: n}` where n records are missing. */
  at(index) {
    return this.#shown[this.#shown.length - 1 - index];
  }

  /** Rows that came in while paused. */
  get waiting() {
    return this.#waiting.length + this.#unshown;
  }

  async run() {
    for (let attempt = 0; !this.#stop.signal.aborted; attempt++) {
      const began = this.received;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.error = error;
        if (FINAL.has(error.kind)) return this.#become("failed");
      }
      if (this.#stop.signal.aborted) return;
      if (this.received > began) attempt = 0;
      this.#become("retrying");
      await this.#delay(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    }
  }

  pause() {
    this.isPaused = true;
    this.#onChange(0);
  }

  resume() {
    this.isPaused = false;
    const fresh = this.#waiting;
    if (this.#unshown > 0) fresh.unshift({ gap: this.#unshown });
    this.#waiting = [];
    this.#unshown = 0;
    this.#show(fresh);
  }

  stop() {
    this.#stop.abort();
  }

  async #follow() {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const from = this.#cursor === null ? { backlog: String(BACKLOG) } : { cursor: this.#cursor };
    try {
      const signal = AbortSignal.any([this.#stop.signal, silence.signal]);
      const response = await get("api/v1/tail", { q: this.#query, meta: "true", ...from }, signal);
      this.#forgetSinceCursor();
      this.error = null;
      this.#become("live");
      for await (const found of objects(response)) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#take(found);
      }
    } catch (error) {
      if (isAbort(error)) throw new ApiError("unreachable", "The server fell silent.");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(found) {
    const fresh = [];
    for (const object of found) {
      if (object === null) continue;
      const tail = object["@tail"];
      if (!isObject(tail)) {
        fresh.push(object);
        this.received++;
        this.#sinceCursor++;
        continue;
      }
      if (tail.missed > 0) {
        fresh.push({ gap: Number(tail.missed) });
        this.missed += Number(tail.missed);
      }
      if (tail.cursor !== undefined) {
        this.#cursor = tail.cursor;
        this.#sinceCursor = 0;
      }
    }
    if (fresh.length === 0) return;
    if (this.isPaused) this.#hold(fresh);
    else this.#show(fresh);
  }

  #show(fresh) {
    this.#shown.push(...fresh);
    this.#shown.splice(0, Math.max(0, this.#shown.length - KEPT_MAX));
    this.#onChange(fresh.length);
  }

  #hold(fresh) {
    this.#waiting.push(...fresh);
    const over = Math.max(0, this.#waiting.length - KEPT_MAX);
    this.#waiting.splice(0, over);
    this.#unshown += over;
    this.#onChange(0);
  }

  /** What came after the last cursor is sent again by the new connection. */
  #forgetSinceCursor() {
    const held = Math.min(this.#sinceCursor, this.#waiting.length);
    this.#waiting.splice(this.#waiting.length - held);
    const shown = Math.min(this.#sinceCursor - held, this.#shown.length);
    this.#shown.splice(this.#shown.length - shown);
    this.received -= this.#sinceCursor;
    this.#sinceCursor = 0;
    if (held + shown > 0) this.#onChange(-shown);
  }

  #become(state) {
    this.state = state;
    this.#onChange(0);
  }

  #delay(wait_ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait_ms);
      this.#stop.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
  }
}
