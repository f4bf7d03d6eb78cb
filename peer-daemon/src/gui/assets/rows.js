// A list whose rows are kept by key: one that stays keeps its element, and with it the focus. Only so many rows are
// in the page as somebody asked to see, so that ten thousand items cost no more than the first hundred.

import { byId } from "./dom.js";

const PAGE = 100;

export class Rows {
  #rows = new Map();
  #items = [];
  #shown = PAGE;

  /** `fill(row, item)` puts an item into a copy of the template; `keyOf(item)` names it. */
  constructor(list, template, keyOf, fill) {
    Object.assign(this, { list: byId(list), template: byId(template), keyOf, fill });
    this.more = document.createElement("button");
    this.more.type = "button";
    this.more.className = "quiet more";
    this.more.hidden = true;
    this.more.addEventListener("click", () => this.#showMore());
    this.list.after(this.more);
  }

  show(items) {
    this.#items = items;
    const hadFocus = this.list.contains(document.activeElement) ? this.#indexOfFocus() : -1;
    let place = this.list.firstElementChild;
    const before = this.#rows;
    this.#rows = new Map();
    for (const item of items.slice(0, this.#shown)) {
      const key = this.keyOf(item);
      const row = before.get(key) ?? this.template.content.firstElementChild.cloneNode(true);
      before.delete(key);
      this.#rows.set(key, row);
      if (row === place) place = place.nextElementSibling;
      else this.list.insertBefore(row, place);
      this.fill(row, item);
    }
    for (const gone of before.values()) gone.remove();
    const rest = items.length - this.#shown;
    this.more.hidden = rest <= 0;
    if (rest > 0) this.more.textContent = `Show ${Math.min(rest, PAGE)} more of ${rest.toLocaleString("en")}`;
    if (hadFocus >= 0 && !this.list.contains(document.activeElement)) this.#focus(hadFocus);
  }

  /** Other items altogether: from their first page on. */
  begin() {
    this.#shown = PAGE;
  }

  #showMore() {
    const first = this.#shown;
    this.#shown += PAGE;
    this.show(this.#items);
    this.#focus(first);
  }

  #indexOfFocus() {
    return [...this.list.children].findIndex((row) => row.contains(document.activeElement));
  }

  /** The row in this place, or the last one: whoever uses a keyboard goes on where they were. */
  #focus(index) {
    const row = this.list.children[Math.min(index, this.list.children.length - 1)];
    const target = row?.querySelector("button:enabled") ?? row ?? this.list.closest("section")?.querySelector("h2");
    if (!target) return;
    if (target.tagName !== "BUTTON") target.tabIndex = -1;
    target.focus();
  }
}
