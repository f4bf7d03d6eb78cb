// Downloads and uploads: how far, how fast, how long still, why they wait, and what can be done about it.

import { perform, setActions } from "./actions.js";
import { call } from "./daemon.js";
import { announce, byId, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { on, scene } from "./scene.js";
import { explain } from "./why.js";
import { bytes, contents, duration } from "./words.js";

const STATES = {
  queued: "queued", requesting: "asking", dialling: "connecting", waiting: "waiting", verifying: "checking",
  finished: "done", paused: "paused", failed: "failed", cancelled: "cancelled",
};
const ENDED = ["finished", "failed", "cancelled"];

const path = ({ id }, verb) => `/v1/downloads/${encodeURIComponent(id)}${verb ? `/${verb}` : ""}`;
const change = (download, verb) => () => call("POST", path(download, verb));
const remove = (download) => () => call("DELETE", path(download));

function actionsOf(download) {
  const history = ["History", () => explain(download)];
  switch (download.state) {
    case "finished": return [history, ["Remove from list", remove(download)]];
    case "failed":
    case "cancelled": return [history, ["Retry", change(download, "retry")], ["Remove from list", remove(download)]];
    case "paused": return [history, ["Resume", change(download, "resume")], ["Cancel", change(download, "cancel")]];
    case "verifying": return [history];
    default: return [history, ["Pause", change(download, "pause")], ["Cancel", change(download, "cancel")]];
  }
}

function fill(row, transfer, done, preposition) {
  const { name, size, state, username } = transfer;
  const part = size ? done / size : 1;
  row.dataset.state = state;
  setText(row.querySelector(".name"), name);
  const place = transfer.position ? `, place ${transfer.position}` : "";
  const told = state === "transferring" ? `${Math.floor(100 * part)} %` : (STATES[state] ?? state) + place;
  setText(row.querySelector(".state"), told);
  const details = [`${preposition} ${username}`, state === "finished" ? bytes(size) : `${bytes(done)} of ${bytes(size)}`];
  if (transfer.folder) details.push(contents(transfer.folder));
  if (transfer.bytes_per_second) details.push(`${bytes(transfer.bytes_per_second)}/s`);
  if (state === "transferring" && transfer.eta_seconds != null) details.push(`${duration(transfer.eta_seconds)} left`);
  if (state === "finished" && transfer.path) details.push(`in ${transfer.path.replace(/\/[^/]*$/, "")}`);
  setText(row.querySelector(".detail"), details.join(" · "));
  setText(row.querySelector(".reason"), transfer.reason ?? "");
  const bar = row.querySelector("progress");
  bar.value = part;
  bar.hidden = state === "finished" || state === "cancelled" || (!done && state !== "transferring");
  bar.setAttribute("aria-label", `${name}: progress`);
}

const downloads = new Rows("downloads", "transfer", ({ id }) => id, (row, download) => {
  fill(row, download, download.received, "from");
  setActions(row, download.name, actionsOf(download));
});

const uploads = new Rows("uploads", "transfer", ({ id, name }) => `${id} ${name}`, (row, upload) => {
  fill(row, upload, upload.sent ?? 0, "to");
});

let known = null;

/** Only what has just come to an end is worth interrupting whoever listens. */
function announceEnds(list) {
  const ends = list.filter(({ id, state }) => ENDED.includes(state) && known?.has(id) && known.get(id) !== state);
  if (ends.length) announce(ends.map(({ name, state }) => `${name}: ${STATES[state]}`).join(", "));
  known = new Map(list.map(({ id, state }) => [id, state]));
}

on(["downloads"], ({ downloads: list }) => {
  downloads.show([...list].reverse());
  byId("no-downloads").hidden = list.length > 0;
  byId("clear").hidden = list.filter(({ state }) => state === "finished").length < 2;
  announceEnds(list);
});

/** What waits for the person's word is shown above, with what to say. */
on(["uploads", "requests"], ({ uploads: list, requests }) => {
  const asking = new Set(requests.map(({ id }) => id));
  const decided = list.filter(({ id }) => !asking.has(id));
  uploads.show(decided);
  byId("no-uploads").hidden = decided.length > 0;
});

byId("clear").addEventListener("click", ({ currentTarget }) => perform(currentTarget, async () => {
  for (const download of scene.downloads.filter(({ state }) => state === "finished")) await remove(download)();
  byId("downloads-title").focus();
}));
