// Searches, with their results as they come: one row a file or folder, whoever has it and whatever they call it.

import { setActions } from "./actions.js";
import { call, sentence } from "./daemon.js";
import { byId, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { on, scene } from "./scene.js";
import { bytes, contents, number, some } from "./words.js";

// Results come in bursts; this many looks a second are enough.
const PAUSE_MS = 150;
const WAIT_SECONDS = 20;
const NAMES_SHOWN = 3;

let found = null;
let files = [];
/** The downloads by file, for the rows: looked up for each, and made once. */
let held = new Map();
let searching = null;

/** A folder's root is that of its listing, whose size a result has and a download has not. */
const fileOf = ({ root, size, folder }) => `${root}:${folder ? "folder" : size}`;

/** Results of one file together, in the order of the first of each: exact names come first. */
export function group(results) {
  const groups = new Map();
  for (const result of results) {
    const key = fileOf(result);
    const known = groups.get(key);
    if (known) {
      known.usernames.add(result.username);
      if (result.name !== known.name) known.otherName ??= result.name;
    } else {
      groups.set(key, { ...result, key, usernames: new Set([result.username]), otherName: null });
    }
  }
  return [...groups.values()];
}

const rows = new Rows("results", "result", ({ key }) => key, (row, file) => {
  setText(row.querySelector(".name"), file.name);
  row.querySelector(".tag").hidden = file.match !== "exact";
  const names = some([...file.usernames], NAMES_SHOWN);
  const sources = file.usernames.size === 1 ? `from ${names}` : `${number(file.usernames.size, "source")}: ${names}`;
  // A folder's own size is that of its listing.
  const { folder } = file;
  const details = folder ? [`folder of ${contents(folder)}, ${bytes(folder.bytes)}`, sources] : [bytes(file.size), sources];
  if (file.otherName) details.push(`also called ${file.otherName}`);
  setText(row.querySelector(".detail"), details.join(" · "));
  setActions(row, file.name, [actionOf(file)]);
});

function actionOf(file) {
  const state = held.get(file.key)?.state;
  if (state === "finished") return ["Fetched"];
  if (state && state !== "failed" && state !== "cancelled") return ["On its way"];
  const { search } = found;
  return ["Fetch", () => call("POST", "/v1/downloads", { body: { targets: [`${search}.${file.number}`] } })];
}

function draw() {
  held = new Map(scene.downloads.map((download) => [fileOf(download), download]));
  rows.show(files);
}

/** Shows a search's document. */
export function showResults(next) {
  if (next.search !== found?.search) rows.begin();
  found = next;
  files = group(next.results);
  draw();
  const count = files.length;
  const folders = files.filter(({ folder }) => folder).length;
  const kinds = [[count - folders, "file"], [folders, "folder"]].filter(([found]) => found);
  const amount = count ? kinds.map(([found, kind]) => number(found, kind)).join(" and ") : next.finished ? "Nothing found" : "Searching";
  setText(byId("search-summary"), `${amount} for “${next.query}”${next.finished ? "" : "…"}`);
  byId("no-results").hidden = count > 0 || !next.finished;
}

/** Shows results as they come, until the search is finished or another one begins. */
async function search(query) {
  searching?.abort();
  const { signal } = searching = new AbortController();
  try {
    let next = await call("POST", "/v1/searches", { body: { query }, signal });
    for (;;) {
      showResults(next);
      if (next.finished) return;
      await new Promise((done) => setTimeout(done, PAUSE_MS));
      const news = `known=${next.results.length}&wait=${WAIT_SECONDS}`;
      next = await call("GET", `/v1/searches/${encodeURIComponent(next.search)}?${news}`, { signal });
    }
  } catch (error) {
    if (!signal.aborted) setText(byId("search-summary"), sentence(error));
  }
}

byId("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  search(byId("query").value.trim());
});

on(["status"], ({ status }) => { byId("search").hidden = !status.connected && !found; });
on(["downloads"], () => { if (found) draw(); });
