/** A list of any length of which only the rows in sight are in the document; all rows are equally high. */

import { el } from "./text.js";

const OVERSCAN = 12;
const NEAR_END = 200;

export class Rows {
  /** `onOpen(record)` on click or Enter; `onNearEnd()` when the last rows come near; `onScroll(isAtTop)`. */
  constructor(scroller, { onOpen, onNearEnd, onScroll }) {
    this.#scroller = scroller;
    this.#onOpen = onOpen;
    this.#onNearEnd = onNearEnd;
    this.#canvas = el("div", { class: "canvas", role: "presentation" });
    this.#footer = el("div", { class: "footer", role: "presentation" });
    scroller.replaceChildren(this.#canvas, this.#footer);
    scroller.addEventListener("scroll", () => (this.#schedule(), onScroll(this.isAtTop)), { passive: true });
    new ResizeObserver(() => this.#schedule()).observe(scroller);
    this.#canvas.addEventListener("click", (event) => this.#click(event));
  }

  #scroller;
  #canvas;
  #footer;
  #onOpen;
  #onNearEnd;
  #source = [];
  #fill = () => {};
  #elements = new Map();
  #selected = null;
  #isScheduled = false;
  #height = 22;

  /** Shows another source (`length`, `at(i)`); `fill(element, record)` builds a row's content. */
  show(source, fill) {
    this.#source = source;
    this.#fill = fill;
    this.#selected = null;
    this.#scroller.scrollTop = 0;
    this.rebuild();
  }

  /** After the source changed; `prepended` rows came in at the top (negative: left it). What is in sight stays. */
  refresh(prepended = 0) {
    if (prepended !== 0 && !this.isAtTop) {
      this.#resize();
      this.#scroller.scrollTop += prepended * this.#height;
    }
    this.#schedule();
  }

  /** All rows anew: how they are built has changed. */
  rebuild() {
    for (const element of this.#elements.values()) element.remove();
    this.#elements.clear();
    this.#schedule();
  }

  setFill(fill) {
    this.#fill = fill;
    this.rebuild();
  }

  setFooter(...children) {
    this.#footer.replaceChildren(...children);
  }

  get isAtTop() {
    return this.#scroller.scrollTop < this.#height;
  }

  scrollToTop() {
    this.#scroller.scrollTop = 0;
  }

  /** Moves the selection by so many rows and brings it into sight. */
  move(by) {
    if (this.#source.length === 0) return null;
    const from = this.#selected === null ? -1 : this.#indexOf(this.#selected);
    const first = Math.ceil(this.#scroller.scrollTop / this.#height);
    const wanted = from === -1 ? first : from + by;
    const index = Math.min(Math.max(wanted, 0), this.#source.length - 1);
    this.select(this.#source.at(index));
    this.#reveal(index);
    return this.#selected;
  }

  get selected() {
    return this.#selected;
  }

  select(record) {
    this.#selected = record;
    this.#schedule();
  }

  #indexOf(record) {
    for (let i = 0; i < this.#source.length; i++) if (this.#source.at(i) === record) return i;
    return -1;
  }

  #reveal(index) {
    if (index === -1) return;
    const top = index * this.#height;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (top + this.#height > scrollTop + clientHeight) this.#scroller.scrollTop = top + this.#height - clientHeight;
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      this.#render();
    });
  }

  #resize() {
    const height = Number.parseFloat(getComputedStyle(this.#scroller).getPropertyValue("--row-height"));
    const top = this.#scroller.scrollTop / this.#height;
    const hasChanged = height !== this.#height;
    this.#height = height;
    this.#canvas.style.height = `${this.#source.length * height}px`;
    if (!hasChanged) return;
    this.#scroller.scrollTop = top * height;
    if (this.#selected !== null) this.#reveal(this.#indexOf(this.#selected));
  }

  #render() {
    this.#resize();
    const length = this.#source.length;
    const top = Math.floor(this.#scroller.scrollTop / this.#height);
    const visible = Math.ceil(this.#scroller.clientHeight / this.#height);
    const first = Math.max(0, top - OVERSCAN);
    const last = Math.min(length, top + visible + OVERSCAN);
    const kept = new Map();
    for (let i = first; i < last; i++) kept.set(this.#source.at(i), i);
    for (const [record, element] of this.#elements) {
      if (kept.has(record)) continue;
      element.remove();
      this.#elements.delete(record);
    }
    for (const [record, index] of kept) this.#place(record, index);
    const active = this.#elements.get(this.#selected);
    if (active === undefined) this.#scroller.removeAttribute("aria-activedescendant");
    else this.#scroller.setAttribute("aria-activedescendant", active.id);
    if (top + visible + NEAR_END > length) this.#onNearEnd();
  }

  #place(record, index) {
    let element = this.#elements.get(record);
    if (element === undefined) {
      element = el("div", { class: "row", role: "option" });
      this.#fill(element, record);
      this.#elements.set(record, element);
      this.#canvas.append(element);
    }
    element.id = `row-${index}`;
    element.style.transform = `translateY(${index * this.#height}px)`;
    element.setAttribute("aria-posinset", index + 1);
    element.setAttribute("aria-setsize", this.#source.length);
    element.setAttribute("aria-selected", record === this.#selected);
  }

  #click(event) {
    const element = event.target.closest(".row");
    if (element === null || !getSelection().isCollapsed) return;
    for (const [record, candidate] of this.#elements) {
      if (candidate !== element) continue;
      this.select(record);
      this.#onOpen(record);
    }
  }
}
