/** The rows of one answer, page after page to its end, with a bound on how many are kept. */

import { get, isAbort, objects } from "./api.js";
import { isObject } from "./json.js";
import { pinned, toQuery } from "./range.js";

export const KEPT_MAX = 50_000;

export class Pages {
  /** `onChange(dropped)` is called after every change; `dropped` rows have just left the top. */
  constructor(query, range, onChange) {
    this.rows = [];
    this.total = 0;
    /** running; more: there are older rows; end; limited: cut, and no cursor to go on from; stopped; failed. */
    this.state = "running";
    this.error = null;
    this.query = query;
    this.began_ms = performance.now();
    this.took_ms = null;
    this.#range = range;
    this.#onChange = onChange;
  }

  #range;
  #onChange;
  #abort = new AbortController();
  #hasBegun = false;
  #ofPage = 0;
  #cursor = null;
  #pin = null;

  get length() {
    return this.rows.length;
  }

  at(index) {
    return this.rows[index];
  }

  /** Rows that were kept once and are no more. */
  get dropped() {
    return this.total - this.rows.length;
  }

  /** Fetches the first page, or the next one unless it is under way already or there is none. */
  async next() {
    if (this.state !== "more" && this.#hasBegun) return;
    this.#hasBegun = true;
    this.state = "running";
    this.error = null;
    this.#onChange(0);
    try {
      await this.#fetch();
    } catch (error) {
      if (isAbort(error)) return;
      this.state = "failed";
      this.error = error;
    }
    this.took_ms ??= performance.now() - this.began_ms;
    this.#onChange(0);
  }

  /** After a failure: the same page again. A page that broke off midway is not doubled. */
  retry() {
    this.rows.length -= this.#ofPage;
    this.total -= this.#ofPage;
    this.#hasBegun = false;
    return this.next();
  }

  /** Ends it without a word: another answer takes its place. */
  cancel() {
    this.#abort.abort();
  }

  /** Ends it because somebody asked to. */
  stop() {
    this.#abort.abort();
    this.state = "stopped";
    this.took_ms ??= performance.now() - this.began_ms;
    this.#onChange(0);
  }

  async #fetch() {
    const window = this.#pin ?? toQuery(this.#range);
    const from = this.#cursor === null ? {} : { cursor: this.#cursor };
    const response = await get("api/v1/query", { q: this.query, meta: "true", ...window, ...from }, this.#abort.signal);
    this.#pin ??= pinned(this.#range, Date.parse(response.headers.get("date") ?? "") || Date.now());
    let end = null;
    let fresh = [];
    this.#ofPage = 0;
    for await (const found of objects(response)) {
      for (const object of found) {
        if (isObject(object?.["@end"])) end = object["@end"];
        else if (object !== null) fresh.push(object);
      }
      this.#add(fresh);
      fresh = [];
    }
    this.#cursor = end?.cursor ?? null;
    const isStuck = end !== null && this.#ofPage === 0;
    this.state = end === null ? "end" : this.#cursor === null || isStuck ? "limited" : "more";
  }

  #add(fresh) {
    this.rows.push(...fresh);
    this.total += fresh.length;
    this.#ofPage += fresh.length;
    const dropped = Math.max(0, this.rows.length - KEPT_MAX);
    this.rows.splice(0, dropped);
    this.#onChange(dropped);
  }
}
