/** What is shown instead of rows, or above them: each kind of trouble looks different and says what to do. */

import { el, svgNode } from "./text.js";

/** Paths in a 24 × 24 box, drawn as lines. */
const ICONS = {
  empty: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5 21 21M8 10.5h5",
  unreachable: "M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4M3 3l18 18",
  timeout: "M12 5a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 9v4l3 2M9 2h6",
  memory: "M6 6h12v12H6zM9 2v4M15 2v4M9 18v4M15 18v4M2 9h4M2 15h4M18 9h4M18 15h4",
  busy: "M6 3h12M6 21h12M7 3c0 6 10 6 10 9s-10 3-10 9M17 3c0 6-10 6-10 9s10 3 10 9",
  unavailable: "M12 3v9M6.5 7a8 8 0 1 0 11 0",
  broken: "M3 12h5l2-4M14 16l2-4h5M11 3l1 3M12 18l1 3",
  server: "M12 3 22 20H2zM12 9v5M12 17v.5",
  token: "M8 9a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM11 11l9-7M17 6l3 3",
};
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
    icon(kind),
    el("div", {}, el("strong", {}, title), text === "" ? null : el("p", {}, text), actionRow(actions)),
  );
}

/** The notice of an ApiError that is neither about the query's text nor about a token. */
export function errorNotice(error, actions) {
  const text = error.hint && !error.message.includes(error.hint) ? `${error.message} ${error.hint}` : error.message;
  return notice(error.kind, TITLES[error.kind] ?? TITLES.server, text, actions);
}

/** The form that asks for a bearer token. */
export function tokenForm(isWrong, onToken) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: true });
  const form = el(
    "form",
    { class: "notice is-token", "aria-label": "Token" },
    icon("token"),
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

function icon(kind) {
  const svg = svgNode("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" });
  svg.append(svgNode("path", { d: ICONS[kind] ?? ICONS.server }));
  return svg;
}

function actionRow(actions) {
  if (actions.length === 0) return null;
  const buttons = actions.map(([label, onclick]) => el("button", { type: "button", onclick }, label));
  return el("div", { class: "actions" }, ...buttons);
}
