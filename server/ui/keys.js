/** Keyboard: `/` the query, j and k the rows, Enter opens, Esc closes, l live, p pause, ? help. */

const IN_TEXT = "input:not([type=radio]), textarea, select, [contenteditable]";
const WITH_OWN_ENTER = "button, a, summary, #histogram";

/** `actions` has a function for each of: focusQuery, move(by), open, close, live, pause, help. */
export function listen(actions) {
  const keys = {
    "/": actions.focusQuery,
    j: () => actions.move(1),
    k: () => actions.move(-1),
    l: actions.live,
    p: actions.pause,
    "?": actions.help,
  };
  const arrows = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return actions.close();
    if (event.target.closest(IN_TEXT)) return;
    if (event.key === "Enter" && !event.target.closest(WITH_OWN_ENTER)) return handled(event, actions.open);
    if (event.key in arrows && event.target.id === "rows") return handled(event, () => actions.move(arrows[event.key]));
    if (Object.hasOwn(keys, event.key)) handled(event, keys[event.key]);
  });
}

function handled(event, action) {
  event.preventDefault();
  action();
}
