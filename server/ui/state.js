/** What is looked at, as a value and as the page's address, so that a link shows the same. */

import { fromUrl, toUrl } from "./range.js";

const COLUMNS_MAX = 10;

/** {query, range, isLive, isUtc, columns, open}; `open` is a record's `_seq` or null. */
export function read() {
  const parameters = new URLSearchParams(location.search);
  return {
    query: parameters.get("q") ?? "",
    range: fromUrl(parameters),
    isLive: parameters.has("live"),
    isUtc: parameters.has("utc"),
    columns: parameters.getAll("column").slice(0, COLUMNS_MAX),
    open: /^\d+$/.test(parameters.get("open") ?? "") ? parameters.get("open") : null,
  };
}

export function address(state) {
  const parameters = new URLSearchParams();
  if (state.query !== "") parameters.set("q", state.query);
  toUrl(state.range, parameters);
  if (state.isLive) parameters.set("live", "1");
  if (state.isUtc) parameters.set("utc", "1");
  for (const column of state.columns) parameters.append("column", column);
  if (state.open !== null) parameters.set("open", state.open);
  return `${location.pathname}?${parameters}`;
}

/** Writes the state into the address: a new entry of the history, or the present one changed. */
export function write(state, isNew) {
  const url = address(state);
  if (url === location.pathname + location.search) return;
  if (isNew) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}
