/** The line above the rows and the one below them: how far an answer has come. */

import * as notices from "./notices.js";
import { count, el } from "./text.js";

const OWN_LIMIT = /\|\s*(?:limit|top|patterns)\s+(\d+)/i;

/** [text parts and buttons] for the line above the rows of `pages`; `total` is the histogram's sum or null. */
export function ofPages(pages, total, onStop) {
  if (pages.state === "running" && pages.total === 0) {
    const seconds = Math.floor((performance.now() - pages.began_ms) / 1000);
    return [el("span", { class: "spinner", "aria-hidden": "true" }), seconds < 1 ? "Searching…" : `Searching… ${seconds} s`, button("Stop", onStop)];
  }
  if (pages.total === 0) return [];
  const took = pages.took_ms === null ? "" : ` · ${duration(pages.took_ms)}`;
  const isPart = total !== null && total > pages.total && pages.state !== "end";
  const lines = isPart ? `${count(total, "line")} · newest ${pages.total.toLocaleString("en")} loaded` : count(pages.total, "row");
  return [`${lines}${took}`, pages.state === "running" && button("Stop", onStop)];
}

/** What stands below the last row of `pages`. */
export function footOf(pages, query, onRetry) {
  if (pages.total === 0) return [];
  if (pages.state === "running") return [el("p", {}, el("span", { class: "spinner", "aria-hidden": "true" }), "Loading older lines…")];
  if (pages.state === "stopped") return [el("p", {}, `Stopped after ${count(pages.total, "row")}.`)];
  if (pages.state === "failed") return [notices.errorNotice(pages.error, [["Try again", onRetry]])];
  if (pages.state === "more") return [el("p", {}, `${count(pages.total, "line")} so far; older ones come as you scroll.`)];
  if (pages.state === "limited") {
    return [limit(`Only the first ${count(pages.total, "row")} are shown. Narrow the query, or end it with “| limit N” for more.`)];
  }
  const own = Number(OWN_LIMIT.exec(query)?.[1] ?? Number.NaN);
  if (own === pages.total) return [limit(`The query itself asks for no more than ${count(own, "row")}.`)];
  return [el("p", { class: "end" }, `That is all: ${count(pages.total, "row")}.`)];
}

/** The line above the rows of a live tail. */
export function ofTail(tail, onPause) {
  const dot = el("span", { class: `dot is-${tail.isPaused ? "paused" : tail.state}`, "aria-hidden": "true" });
  const parts = [dot, `${word(tail)} · ${count(tail.received, "line")} received`];
  if (tail.waiting > 0) parts.push(` · ${tail.waiting.toLocaleString("en")} waiting`);
  if (tail.missed > 0) parts.push(el("strong", { class: "missed" }, ` · missed ${tail.missed.toLocaleString("en")}`));
  const toggle = button(tail.isPaused ? "Resume" : "Pause", onPause);
  toggle.setAttribute("aria-keyshortcuts", "p");
  return [...parts, toggle];
}

function word(tail) {
  if (tail.isPaused) return "Paused";
  if (tail.state === "retrying") return tail.error === null || tail.error.kind === "unreachable" ? "Connection lost, trying again" : `${tail.error.message} Trying again`;
  return { connecting: "Connecting…", live: "Live", failed: "Ended" }[tail.state];
}

function limit(text) {
  return el("div", { class: "limit", role: "status" }, el("strong", {}, "Limit reached"), ` ${text}`);
}

function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function button(text, onclick) {
  return el("button", { type: "button", onclick }, text);
}
