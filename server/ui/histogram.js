/** How many lines when, by severity: bars that can be clicked, dragged over, or chosen with the arrow keys. */

import { count, el, svgNode, tick } from "./text.js";

export const SEVERITIES = ["fatal", "error", "warn", "info", "debug", "trace", ""];

const AXIS_PX = 18;
const TOP_PX = 12;
const BAR_MIN_PX = 1.5;
const DRAG_MIN_PX = 4;
const SECOND = 1000;
const DAY = 86_400_000;
const STEPS = [
  ...[1, 5, 10, 50, 100, 500],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].map((s) => s * SECOND),
  ...[1, 2, 7, 14, 30, 90, 365, 1825].map((days) => days * DAY),
];

export class Histogram {
  /** `onZoom(start_ms, end_ms)` when a part of it was chosen; `onSeverity(severity)` when one was clicked. */
  constructor(element, legend, { onZoom, onSeverity }) {
    this.#element = element;
    this.#legend = legend;
    this.#onZoom = onZoom;
    this.#onSeverity = onSeverity;
    this.#tip = el("div", { class: "tip", hidden: true });
    new ResizeObserver(() => this.#draw()).observe(element);
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#hover(event));
    element.addEventListener("pointerup", (event) => this.#release(event));
    element.addEventListener("pointerleave", () => this.#leave());
    element.addEventListener("pointercancel", () => this.#leave());
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("blur", () => this.#leave());
  }

  #element;
  #legend;
  #onZoom;
  #onSeverity;
  #tip;
  #bars = [];
  #interval_ms = 1;
  #start_ms = 0;
  #end_ms = 1;
  #isUtc = false;
  #svg = null;
  #shade = null;
  #pressed_x = null;
  #chosen = -1;

  /** How many buckets fit, also while it is not shown. */
  get buckets() {
    return Math.max(20, Math.min(120, Math.floor(innerWidth / 10)));
  }

  /** Lines in all. */
  get total() {
    return this.#bars.reduce((sum, bar) => sum + bar.count, 0);
  }

  /** Shows an answer of /api/v1/histogram; `window` is {start_ms, end_ms} where it is known, else null. */
  show(answer, window, isUtc) {
    this.#interval_ms = Number(answer.interval_s) * SECOND;
    this.#bars = answer.buckets.map((bucket) => ({
      start_ms: Date.parse(bucket.time),
      count: Number(bucket.count),
      by: bucket.by ?? {},
    }));
    const first = this.#bars.at(0)?.start_ms ?? 0;
    const last = (this.#bars.at(-1)?.start_ms ?? 0) + this.#interval_ms;
    this.#start_ms = window?.start_ms ?? first;
    this.#end_ms = Math.max(window?.end_ms ?? last, this.#start_ms + 1);
    this.#isUtc = isUtc;
    this.#chosen = -1;
    this.#draw();
    this.#drawLegend();
  }

  clear() {
    this.#bars = [];
    this.#svg = null;
    this.#element.replaceChildren();
    this.#legend.replaceChildren();
  }

  #draw() {
    const width = this.#element.clientWidth;
    const height = this.#element.clientHeight;
    if (this.#bars.length === 0 || width === 0) return;
    this.#svg = svgNode("svg", { width, height, "aria-hidden": "true", focusable: "false" });
    const highest = Math.max(1, ...this.#bars.map((bar) => bar.count));
    const room = height - AXIS_PX - TOP_PX;
    this.#drawAxis(width, height, highest);
    for (const bar of this.#bars) this.#drawBar(bar, height - AXIS_PX, room / highest, width);
    this.#shade = svgNode("rect", { class: "shade", y: 0, height: height - AXIS_PX, visibility: "hidden" });
    this.#svg.append(this.#shade);
    this.#element.replaceChildren(this.#svg, this.#tip);
    this.#element.setAttribute(
      "aria-label",
      `Histogram of ${count(this.total, "line")}. Arrow keys choose a bar, Enter zooms into it.`,
    );
  }

  #drawBar(bar, base, scale, width) {
    const left = this.#x(bar.start_ms, width);
    const right = this.#x(bar.start_ms + this.#interval_ms, width);
    let y = base;
    for (const severity of SEVERITIES) {
      const lines = Number(bar.by[severity] ?? 0);
      if (lines === 0) continue;
      const size = Math.max(BAR_MIN_PX, lines * scale);
      y -= size;
      const span = Math.max(1, right - left - 1);
      this.#svg.append(svgNode("rect", { class: `bar ${severityClass(severity)}`, x: left, y, width: span, height: size }));
    }
  }

  #drawAxis(width, height, highest) {
    const base = height - AXIS_PX;
    this.#svg.append(svgNode("line", { class: "axis", x1: 0, x2: width, y1: base + 0.5, y2: base + 0.5 }));
    this.#svg.append(svgNode("line", { class: "grid", x1: 0, x2: width, y1: TOP_PX + 0.5, y2: TOP_PX + 0.5 }));
    const label = svgNode("text", { class: "most", x: 0, y: TOP_PX - 2 });
    label.textContent = highest.toLocaleString("en");
    this.#svg.append(label);
    const span = this.#end_ms - this.#start_ms;
    const wanted = span / Math.max(2, width / 110);
    const step = STEPS.find((candidate) => candidate >= wanted) ?? STEPS.at(-1);
    const shift = this.#isUtc || step >= DAY ? 0 : new Date(this.#start_ms).getTimezoneOffset() * 60_000;
    for (let at = Math.ceil((this.#start_ms - shift) / step) * step + shift; at < this.#end_ms; at += step) {
      const x = this.#x(at, width);
      this.#svg.append(svgNode("line", { class: "axis", x1: x, x2: x, y1: base, y2: base + 4 }));
      const isNearEdge = x < 30 ? "start" : x > width - 40 ? "end" : "middle";
      const text = svgNode("text", { class: "tick", x, y: height - 3, "text-anchor": isNearEdge });
      text.textContent = tick(at, step, this.#isUtc);
      this.#svg.append(text);
    }
  }

  #drawLegend() {
    const sums = SEVERITIES.map((severity) => [severity, this.#bars.reduce((n, bar) => n + Number(bar.by[severity] ?? 0), 0)]);
    const shown = sums.filter(([, lines]) => lines > 0);
    this.#legend.replaceChildren(
      ...shown.map(([severity, lines]) =>
        el(
          "button",
          { type: "button", class: severityClass(severity), title: "Show only these", onclick: () => this.#onSeverity(severity) },
          el("i", { "aria-hidden": "true" }),
          `${severity || "no severity"} `,
          el("b", {}, lines.toLocaleString("en")),
        ),
      ),
    );
  }

  #x(at_ms, width) {
    return ((at_ms - this.#start_ms) / (this.#end_ms - this.#start_ms)) * width;
  }

  #at(x) {
    const width = this.#element.clientWidth;
    const share = Math.min(1, Math.max(0, x / width));
    return this.#start_ms + share * (this.#end_ms - this.#start_ms);
  }

  #offset(event) {
    return event.clientX - this.#element.getBoundingClientRect().left;
  }

  #press(event) {
    if (event.button !== 0 || this.#svg === null) return;
    this.#pressed_x = this.#offset(event);
    this.#element.setPointerCapture(event.pointerId);
  }

  #hover(event) {
    if (this.#svg === null) return;
    const x = this.#offset(event);
    if (this.#pressed_x !== null && Math.abs(x - this.#pressed_x) >= DRAG_MIN_PX) {
      this.#shadeBetween(Math.min(x, this.#pressed_x), Math.max(x, this.#pressed_x));
      this.#tip.hidden = true;
      return;
    }
    this.#choose(this.#barAt(this.#at(x)));
  }

  #release(event) {
    if (this.#pressed_x === null) return;
    const from = this.#pressed_x;
    const to = this.#offset(event);
    const bar = this.#barAt(this.#at(to));
    this.#leave();
    if (Math.abs(to - from) >= DRAG_MIN_PX) {
      this.#onZoom(Math.floor(this.#at(Math.min(from, to))), Math.ceil(this.#at(Math.max(from, to))));
    } else if (bar !== -1) this.#zoomInto(bar);
  }

  #key(event) {
    if (this.#bars.length === 0) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by !== undefined) this.#choose(Math.min(Math.max(this.#chosen + by, 0), this.#bars.length - 1));
    else if (event.key === "Enter" && this.#chosen !== -1) this.#zoomInto(this.#chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #leave() {
    this.#pressed_x = null;
    this.#choose(-1);
  }

  #barAt(at_ms) {
    return this.#bars.findIndex((bar) => at_ms >= bar.start_ms && at_ms < bar.start_ms + this.#interval_ms);
  }

  #zoomInto(index) {
    const start_ms = this.#bars[index].start_ms;
    this.#onZoom(start_ms, Math.ceil(start_ms + this.#interval_ms));
  }

  #choose(index) {
    this.#chosen = index;
    const bar = this.#bars[index];
    this.#tip.hidden = bar === undefined;
    if (bar === undefined) {
      this.#shade?.setAttribute("visibility", "hidden");
      return;
    }
    const width = this.#element.clientWidth;
    const left = this.#x(bar.start_ms, width);
    const right = this.#x(bar.start_ms + this.#interval_ms, width);
    this.#shadeBetween(left, right);
    const parts = SEVERITIES.filter((severity) => bar.by[severity] > 0).map((severity) =>
      el("span", { class: severityClass(severity) }, el("i"), `${severity || "no severity"} ${Number(bar.by[severity]).toLocaleString("en")}`),
    );
    const moment = tick(bar.start_ms, Math.min(this.#interval_ms, 59_000), this.#isUtc);
    this.#tip.replaceChildren(el("b", {}, `${moment} · ${count(bar.count, "line")}`), ...parts);
    this.#tip.style.left = `${Math.min(Math.max(left, 0), Math.max(0, width - this.#tip.offsetWidth))}px`;
  }

  #shadeBetween(left, right) {
    this.#shade.setAttribute("visibility", "visible");
    this.#shade.setAttribute("x", left);
    this.#shade.setAttribute("width", Math.max(1, right - left));
  }
}

export function severityClass(severity) {
  return SEVERITIES.includes(severity) && severity !== "" ? `is-${severity}` : "is-none";
}
