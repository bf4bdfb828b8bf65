/** What stands in place of the rows where there are none: what went wrong, or that nothing was found. */

import { token } from "./api.js";
import { errorNotice, notice, tokenForm } from "./notices.js";
import * as ranges from "./range.js";
import { el } from "./text.js";

const RETRY_S = 5;
const WORTH_RETRYING = ["unreachable", "unavailable", "busy"];

export class Trouble {
  /** Calls `onRun()` to ask again, `onRange(range)` to ask for another time. */
  constructor(element, { onRun, onRange }) {
    this.#element = element;
    this.#onRun = onRun;
    this.#onRange = onRange;
  }

  #element;
  #onRun;
  #onRange;
  #timer = null;

  clear() {
    clearInterval(this.#timer);
    this.#element.replaceChildren();
  }

  /** An ApiError that is not about the query's text. */
  fail(error, range) {
    this.clear();
    if (error.kind === "token") {
      this.#askToken();
      return;
    }
    const shorter = ranges.shorter(range);
    const isHeavy = error.kind === "timeout" || error.kind === "memory";
    const actions = [["Try again", this.#onRun]];
    if (isHeavy && shorter !== null) actions.unshift([`Only the last ${shorter.last}`, () => this.#onRange(shorter)]);
    this.#element.append(errorNotice(error, actions));
    if (WORTH_RETRYING.includes(error.kind)) this.#tryAgainSoon();
  }

  /** No row at all. */
  empty(query, range) {
    this.clear();
    const isAll = range.last === undefined && !range.start && !range.end;
    const isEverything = query === "" || query === "*";
    if (isAll && isEverything) {
      this.#element.append(notice("empty", "Nothing is stored yet", "Send the first line:"));
      this.#element.firstChild.append(el("pre", {}, firstLine()));
      return;
    }
    const choice = (wide) => [wide.last === undefined ? "All time" : `Last ${wide.last}`, () => this.#onRange(wide)];
    const actions = isAll ? [] : ranges.wider(range).map(choice);
    this.#element.append(notice("empty", "No results", `No line matches ${ranges.describe(range)}.`, actions));
  }

  /** A live tail that has no row yet. */
  waiting() {
    this.clear();
    this.#element.append(notice("empty", "Nothing yet", "Lines appear here the moment they are stored."));
  }

  #tryAgainSoon() {
    let left_s = RETRY_S;
    const text = el("p", { class: "retry" });
    this.#element.firstChild.append(text);
    const step = () => {
      text.textContent = `Trying again in ${left_s} s`;
      if (left_s-- === 0) this.#onRun();
    };
    step();
    this.#timer = setInterval(step, 1000);
  }

  #askToken() {
    const form = tokenForm(token.get() !== "", (text) => {
      token.set(text);
      this.#onRun();
    });
    this.#element.append(form);
    form.querySelector("input").focus();
  }
}

/** A command that sends a line to this server. */
function firstLine() {
  return `curl -d 'hello' -H 'Content-Type: text/plain' '${new URL("api/v1/logs?pod=me", document.baseURI)}'`;
}
