/** What is shown instead of rows, or above them: each kind of trouble looks different and says what to do. */

import { el } from "./text.js";

const ICONS = { empty: "∅", unreachable: "⚡", timeout: "⏱", memory: "▦", busy: "⏳", unavailable: "⏳", broken: "✂", server: "⚠" };
const TITLES = {
  unreachable: "Server not reachable",
  timeout: "The query took too long",
  memory: "The query needs too much memory",
  busy: "The server is busy",
  unavailable: "The server is not ready",
  broken: "The answer broke off",
  server: "The server failed",
};

/** A notice; `actions` are [label, function] pairs. An empty `text` is left out. */
export function notice(kind, title, text, actions = []) {
  return el(
    "div",
    { class: `notice is-${kind}`, role: kind === "empty" ? "status" : "alert", dataset: { kind } },
    el("span", { class: "icon", "aria-hidden": "true" }, ICONS[kind] ?? "⚠"),
    el("div", {}, el("strong", {}, title), text === "" ? null : el("p", {}, text), actionRow(actions)),
  );
}

/** The notice of an ApiError that is neither about the query's text nor about a token. */
export function errorNotice(error, actions) {
  const text = error.hint ? `${error.message} ${error.hint}` : error.message;
  return notice(error.kind, TITLES[error.kind] ?? TITLES.server, text, actions);
}

/** The form that asks for a bearer token. */
export function tokenForm(isWrong, onToken) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true });
  const form = el(
    "form",
    { class: "notice is-token", "aria-label": "Token" },
    el("span", { class: "icon", "aria-hidden": "true" }, "⚿"),
    el(
      "div",
      {},
      el("strong", {}, isWrong ? "This token is not accepted" : "A token is needed"),
      el("p", {}, "The server asks for a bearer token. It is kept until this tab is closed."),
      el("div", { class: "actions" }, el("label", { for: "token" }, "Token"), input, el("button", { type: "submit" }, "Go on")),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onToken(input.value.trim());
  });
  return form;
}

function actionRow(actions) {
  if (actions.length === 0) return null;
  const buttons = actions.map(([label, onclick]) => el("button", { type: "button", onclick }, label));
  return el("div", { class: "actions" }, ...buttons);
}
