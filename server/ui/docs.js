"use strict";

// Shows openapi.json: one foldable entry a route, grouped by tag. Text only ever becomes text nodes.

const make = (name, ...children) => {
  const element = document.createElement(name);
  element.append(...children);
  return element;
};

const row = (parameter) =>
  make("tr",
    make("td", make("code", parameter.name)),
    make("td", parameter.schema.default === undefined || parameter.schema.default === null ? "" : String(parameter.schema.default)),
    make("td", parameter.description || ""));

const table = (parameters) =>
  make("table",
    make("thead", make("tr", make("th", "parameter"), make("th", "default"), make("th", "meaning"))),
    make("tbody", ...parameters.map(row)));

const entry = (path, method, operation) => {
  const inside = make("div", make("p", operation.description || ""));
  if (operation.parameters?.length) inside.append(table(operation.parameters));
  for (const [type, content] of Object.entries(operation.requestBody?.content || {})) {
    inside.append(make("p", "Body: ", make("code", type)));
    if (content.example) inside.append(make("pre", content.example));
  }
  const summary = make("summary", make("b", method.toUpperCase()), make("code", path), make("span", operation.summary || ""));
  return make("details", summary, inside);
};

const show = (description) => {
  document.getElementById("about").textContent = description.info.description;
  const groups = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] || "other";
      if (!groups.has(tag)) groups.set(tag, make("section", make("h2", tag)));
      groups.get(tag).append(entry(path, method, operation));
    }
  }
  document.getElementById("routes").replaceChildren(...groups.values());
};

fetch("openapi.json").then((answer) => answer.json()).then(show);
