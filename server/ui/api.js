/** Speaks with the server; whatever goes wrong becomes one ApiError that says what kind of trouble it is. */

import { isObject, parse } from "./json.js";

const TOKEN_KEY = "logstore-token";
const KINDS = { 400: "query", 401: "token", 422: "memory", 429: "busy", 503: "unavailable", 504: "timeout" };

export class ApiError extends Error {
  /** `kind`: unreachable, token, query, memory, busy, timeout, unavailable, broken (midway) or server. */
  constructor(kind, message, details = {}) {
    super(message);
    this.kind = kind;
    this.position = details.position ?? null;
    this.hint = details.hint ?? "";
  }
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN_KEY) ?? "",
  set: (text) => sessionStorage.setItem(TOKEN_KEY, text),
};

export function isAbort(error) {
  return error.name === "AbortError";
}

/** A successful answer to GET; `path` is relative to the page, so that the server may stand behind a prefix. */
export async function get(path, parameters, signal) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const headers = token.get() === "" ? {} : { Authorization: `Bearer ${token.get()}` };
  let response;
  try {
    response = await fetch(url, { signal, headers, cache: "no-store" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError("unreachable", `No answer from ${url.origin}.`);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The objects of an NDJSON answer, in lists as they arrive; an empty line is null. */
export async function* objects(response) {
  for await (const lines of texts(response)) {
    const found = lines.map(object);
    const failed = found.findIndex((object) => isObject(object?.["@error"]));
    if (failed === -1) {
      yield found;
      continue;
    }
    yield found.slice(0, failed);
    throw new ApiError("broken", found[failed]["@error"].error ?? "The answer broke off.");
  }
}

function object(line) {
  if (line === "") return null;
  try {
    return parse(line);
  } catch {
    throw new ApiError("broken", "The answer broke off inside a line.");
  }
}

async function* texts(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += value;
      if (!value.includes("\n")) continue;
      const lines = rest.split("\n");
      rest = lines.pop();
      yield lines;
    }
    if (rest !== "") yield [rest];
  } catch (error) {
    if (isAbort(error) || error instanceof ApiError) throw error;
    throw new ApiError("broken", "The connection was lost while the answer arrived.");
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function refusal(response) {
  const kind = KINDS[response.status] ?? "server";
  const said = await response.text().then(parse).catch(() => ({}));
  const message = typeof said.error === "string" ? said.error : `The server answered ${response.status}.`;
  return new ApiError(kind, message, said);
}
