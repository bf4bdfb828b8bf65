/** The page: one state (in the address), one answer (pages of a query, or a live tail), and what they are shown in. */

import { get, isAbort } from "./api.js";
import { Controls } from "./controls.js";
import { Histogram } from "./histogram.js";
import { parse } from "./json.js";
import { listen } from "./keys.js";
import { fillLine, fillTable, isLine, tableColumns, tableHead } from "./lines.js";
import { Pages } from "./pages.js";
import { equals, marks, narrow, narrowResult } from "./query.js";
import * as ranges from "./range.js";
import { RecordPanel, recordOf } from "./record.js";
import { Rows } from "./rows.js";
import { address, read, write } from "./state.js";
import { footOf, ofPages, ofTail } from "./status.js";
import { Tail } from "./tail.js";
import { count } from "./text.js";
import { Trouble } from "./trouble.js";

const TICK_MS = 500;
const HISTOGRAM_AGE_MS = 10_000;
const DAY_MS = 86_400_000;
const COLUMNS_MAX = 10;

const byId = (id) => document.getElementById(id);

class App {
  #state = read();
  #answer = null;
  #total = null;
  #shape = "none";
  #asked = new AbortController();
  #histogramAt_ms = 0;

  #controls = new Controls({
    onRun: (query) => this.#go({ query, open: null }),
    onRange: (range) => this.#go({ range, isLive: false }),
    onLive: (isLive) => this.#go({ isLive, query: this.#controls.query }),
    onZone: (isUtc) => this.#look({ isUtc }),
    onWider: () => this.#zoomOut(),
  });

  #histogram = new Histogram(byId("histogram"), byId("legend"), {
    onZoom: (start_ms, end_ms) => this.#zoom(start_ms, end_ms),
    onSeverity: (severity) => this.#narrow(equals(["severity"], severity), false),
  });

  #trouble = new Trouble(byId("notice"), {
    onRun: () => this.#run(),
    onRange: (range) => this.#go({ range }),
  });

  #rows = new Rows(byId("rows"), {
    onOpen: (record) => this.#open(record, false),
    onNearEnd: () => this.#answer instanceof Pages && this.#answer.next(),
    onScroll: (isAtTop) => isAtTop && (byId("fresh").hidden = true),
  });

  #panel = new RecordPanel(byId("record"), {
    onNarrow: (condition, isOfResult) => this.#narrow(condition, isOfResult),
    onColumn: (name) => this.#toggleColumn(name),
    onAround: (time, seconds) => this.#zoom(Date.parse(time) - seconds * 1000, Date.parse(time) + seconds * 1000 + 1),
    onLink: (seq) => new URL(address({ ...this.#state, isLive: false, open: seq }), location).href,
    onClose: () => this.#close(),
  });

  start() {
    addEventListener("popstate", () => {
      this.#state = read();
      this.#run();
    });
    byId("fresh").addEventListener("click", () => this.#rows.scrollToTop());
    byId("newest").addEventListener("click", () => this.#run());
    byId("help-button").addEventListener("click", () => byId("help").showModal());
    listen({
      focusQuery: () => this.#controls.focus(),
      move: (by) => this.#move(by),
      open: () => this.#rows.selected !== null && this.#open(this.#rows.selected, true),
      close: () => this.#close() || document.activeElement.blur(),
      live: () => this.#go({ isLive: !this.#state.isLive, query: this.#controls.query }),
      pause: () => this.#togglePause(),
      help: () => byId("help").showModal(),
    });
    setInterval(() => this.#answer instanceof Pages && this.#answer.state === "running" && this.#drawStatus(), TICK_MS);
    this.#run();
    if (this.#state.open === null && matchMedia("(hover: hover)").matches) this.#controls.focus();
  }

  /** Changes the state, and asks anew. */
  #go(change) {
    this.#state = { ...this.#state, ...change };
    write(this.#state, true);
    this.#run();
  }

  /** Changes only how things look. */
  #look(change) {
    this.#state = { ...this.#state, ...change };
    write(this.#state, false);
    this.#controls.show(this.#state);
    this.#setFill();
    if (this.#panel.record !== null) this.#panel.open(this.#panel.record, this.#rowLook(), false);
    if (change.isUtc !== undefined) this.#askHistogram();
  }

  #run() {
    this.#stopAll();
    const { query, isLive, open } = this.#state;
    this.#controls.show(this.#state);
    this.#controls.clearError();
    this.#total = null;
    this.#shape = "none";
    this.#trouble.clear();
    byId("fresh").hidden = true;
    byId("above").hidden = true;
    if (open === null) this.#panel.close();
    else this.#openSeq(open);
    const text = query === "" ? "*" : query;
    this.#answer = isLive ? new Tail(text, (fresh) => this.#tailChanged(fresh)) : new Pages(text, this.#state.range, (dropped) => this.#pagesChanged(dropped));
    this.#rows.show(this.#answer, () => {});
    this.#setFill();
    this.#rows.setFooter();
    if (isLive) this.#answer.run();
    else this.#answer.next();
    this.#askHistogram();
  }

  #stopAll() {
    this.#asked.abort();
    this.#asked = new AbortController();
    if (this.#answer instanceof Pages) this.#answer.cancel();
    else this.#answer?.stop();
  }

  // The answer

  #pagesChanged(dropped) {
    const pages = this.#answer;
    if (this.#shape === "none" && pages.length > 0) this.#setFill();
    if (dropped > 0) byId("above").hidden = false;
    this.#rows.refresh(-dropped);
    this.#rows.setFooter(...footOf(pages, this.#state.query, () => pages.retry()));
    this.#drawStatus();
    if (pages.state === "failed" && pages.total === 0) this.#fail(pages.error);
    if (pages.state === "end" && pages.total === 0) this.#trouble.empty(this.#state.query, this.#state.range);
    if (pages.state === "end" || pages.state === "more") announce(`${count(pages.total, "row")} loaded`);
  }

  #tailChanged(fresh) {
    const tail = this.#answer;
    if (fresh !== 0) this.#trouble.clear();
    this.#rows.refresh(fresh);
    if (fresh > 0 && !this.#rows.isAtTop) byId("fresh").hidden = false;
    if (tail.state === "failed") this.#fail(tail.error);
    if (tail.state === "live" && tail.length === 0) {
      this.#trouble.waiting();
    }
    this.#drawStatus();
    if (fresh > 0 && performance.now() - this.#histogramAt_ms > HISTOGRAM_AGE_MS) this.#askHistogram();
  }

  #drawStatus() {
    const parts =
      this.#answer instanceof Pages
        ? ofPages(this.#answer, this.#shape === "lines" ? this.#total : null, () => this.#answer.stop())
        : ofTail(this.#answer, () => this.#togglePause());
    const line = byId("status");
    const hadFocus = line.contains(document.activeElement);
    line.replaceChildren(...parts.filter(Boolean));
    if (hadFocus) line.querySelector("button")?.focus();
  }

  #setFill() {
    const table = byId("head");
    const rows = byId("rows");
    const first = this.#answer.length > 0 && this.#answer instanceof Pages ? this.#answer.at(0) : null;
    this.#shape = first === null ? "none" : isLine(first) ? "lines" : "table";
    rows.classList.toggle("is-table", this.#shape === "table");
    table.replaceChildren();
    table.hidden = this.#shape !== "table";
    if (this.#shape === "table") {
      const columns = tableColumns(this.#answer.rows);
      table.append(tableHead(columns, this.#answer.rows));
      byId("list").style.setProperty("--columns", columns.length);
      this.#rows.setFill((element, record) => fillTable(element, record, columns, this.#state.isUtc));
      return;
    }
    const look = this.#rowLook();
    rows.classList.toggle("has-date", look.hasDate);
    this.#rows.setFill((element, record) => fillLine(element, record, look));
  }

  #rowLook() {
    const { isUtc, columns, range, query, isLive } = this.#state;
    const length = ranges.length_ms(range);
    return { isUtc, columns, marks: marks(query), hasDate: !isLive && (length === null || length >= DAY_MS) };
  }

  #fail(error) {
    if (error.kind === "query") this.#controls.showError(this.#state.query === "" ? "*" : this.#state.query, error);
    else this.#trouble.fail(error, this.#state.range);
  }

  // The histogram

  async #askHistogram() {
    this.#histogramAt_ms = performance.now();
    const { query, range, isUtc } = this.#state;
    const parameters = { q: query === "" ? "*" : query, buckets: this.#histogram.buckets, by: "severity", ...ranges.toHistogram(range) };
    try {
      const response = await get("api/v1/histogram", parameters, this.#asked.signal);
      const answer = parse(await response.text());
      const now_ms = Date.parse(response.headers.get("date") ?? "") || Date.now();
      this.#histogram.show(answer, windowOf(range, now_ms), isUtc);
      this.#total = this.#histogram.total;
      byId("overview").classList.toggle("is-empty", this.#total === 0);
      this.#drawStatus();
    } catch (error) {
      if (isAbort(error)) return;
      this.#histogram.clear();
      byId("overview").classList.add("is-empty");
    }
  }

  #zoom(start_ms, end_ms) {
    const range = { start: new Date(start_ms).toISOString(), end: new Date(Math.max(end_ms, start_ms + 1)).toISOString() };
    this.#go({ range, isLive: false, open: null });
  }

  #zoomOut() {
    const { start, end } = this.#state.range;
    const [from, to] = [Date.parse(start), Date.parse(end)];
    const more = Math.max(1, (to - from) / 2);
    this.#zoom(Math.floor(from - more), Math.ceil(to + more));
  }

  // Rows and the opened record

  #narrow(condition, isOfResult) {
    const query = isOfResult ? narrowResult(this.#state.query, condition) : narrow(this.#state.query, condition);
    this.#go({ query, open: null });
  }

  #move(by) {
    const record = this.#rows.move(by);
    if (record !== null && this.#panel.record !== null) this.#open(record, false);
  }

  #open(record, takesFocus) {
    if (record.gap !== undefined) return;
    this.#panel.open(record, this.#rowLook(), takesFocus);
    const open = record._seq === undefined ? null : String(record._seq);
    this.#state = { ...this.#state, open };
    write(this.#state, false);
  }

  async #openSeq(seq) {
    try {
      const record = await recordOf(seq, this.#asked.signal);
      if (record !== null) this.#panel.open(record, this.#rowLook(), false);
    } catch (error) {
      if (!isAbort(error)) this.#panel.close();
    }
  }

  #close() {
    if (!this.#panel.close()) return false;
    this.#state = { ...this.#state, open: null };
    write(this.#state, false);
    return true;
  }

  #toggleColumn(name) {
    const { columns } = this.#state;
    const isThere = columns.includes(name);
    this.#look({ columns: isThere ? columns.filter((column) => column !== name) : [...columns, name].slice(-COLUMNS_MAX) });
  }

  #togglePause() {
    if (!(this.#answer instanceof Tail)) return;
    if (this.#answer.isPaused) this.#answer.resume();
    else this.#answer.pause();
  }
}

function windowOf(range, now_ms) {
  const length = ranges.length_ms(range);
  if (length === null) return null;
  const end_ms = range.end ? Date.parse(range.end) : now_ms;
  return { start_ms: end_ms - length, end_ms };
}

function announce(text) {
  byId("announcement").textContent = text;
}

new App().start();
