// Elements, found and filled. Names are written by strangers: they are put in as text and never as markup.

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An element with a class and a text. */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Tells those who hear the page rather than see it. */
export const announce = (text) => setText(byId("announcer"), text);
