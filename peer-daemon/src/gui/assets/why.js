// What happened to a download, and what happens next: a timeline, kept up to date while it is open.

import { call } from "./daemon.js";
import { byId, make, setText } from "./dom.js";
import { on } from "./scene.js";
import { asSentence, duration } from "./words.js";

const dialog = byId("why");
/** The download that is explained, as it was when its steps were read. */
let shown = null;

/** The day is told where it is another one. */
function time(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const style = isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "medium" };
  const element = make("time", "when", date.toLocaleString("en-GB", style));
  element.dateTime = at;
  return element;
}

function step({ at, state, sentence, username, lasted_milliseconds: lasted }) {
  const item = make("li");
  item.dataset.state = state;
  item.append(time(at), make("bdi", "what", asSentence(sentence)));
  const details = [];
  if (username) details.push(username);
  if (lasted >= 1000) details.push(`for ${duration(lasted / 1000)}`);
  if (details.length) item.append(make("span", "detail", details.join(" · ")));
  return item;
}

function upcoming({ what, at }) {
  const item = make("li", "next");
  if (at) item.append(time(at));
  item.append(make("span", "what", asSentence(what)));
  return item;
}

async function read(download) {
  shown = download;
  const { steps, next } = await call("GET", `/v1/downloads/${encodeURIComponent(download.id)}/why`);
  if (shown?.id !== download.id) return;
  const items = steps.map(step);
  if (next) items.push(upcoming(next));
  byId("why-steps").replaceChildren(...items);
}

export async function explain(download) {
  await read(download);
  setText(byId("why-title"), download.name);
  dialog.showModal();
}

dialog.addEventListener("close", () => { shown = null; });

on(["downloads"], ({ downloads }) => {
  if (!dialog.open || !shown) return;
  const now = downloads.find(({ id }) => id === shown.id);
  if (!now) return dialog.close();
  // The same sentence again would be no news: bytes are told in the list.
  if (now.state !== shown.state || now.reason !== shown.reason) read(now).catch(() => {});
});
