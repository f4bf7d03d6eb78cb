// Buttons that ask the daemon for something, and what it had to say about it.

import { sentence } from "./daemon.js";
import { byId, setText } from "./dom.js";

const TOAST_MS = 8000;

/**
 * Buttons in a row, made anew only when they differ: `[label, action]`, without an action for what can't be done.
 * A screen reader hears the name of the row with each.
 */
export function setActions(row, name, actions) {
  const box = row.querySelector(".actions");
  const labels = actions.map(([label]) => label).join("|");
  if (box.dataset.labels === labels) return;
  const hadFocus = box.contains(document.activeElement);
  box.dataset.labels = labels;
  box.replaceChildren(...actions.map(([label, action]) => button(label, `${label} ${name}`, action)));
  if (hadFocus) box.querySelector("button:enabled")?.focus();
}

function button(label, spoken, action) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = label;
  element.setAttribute("aria-label", spoken);
  element.disabled = !action;
  element.addEventListener("click", () => perform(element, action));
  return element;
}

/** One at a time a button. It keeps the focus meanwhile, which a disabled one would lose. */
export async function perform(element, action) {
  if (element.ariaBusy === "true") return;
  element.ariaBusy = "true";
  try {
    await action();
  } catch (error) {
    toast(sentence(error));
  } finally {
    element.ariaBusy = "false";
  }
}

let toastTimer;

export function toast(text) {
  setText(byId("toast"), text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => setText(byId("toast"), ""), TOAST_MS);
}
