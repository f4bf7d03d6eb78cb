// What the page shows comes as a stream of documents; what it does are calls of the daemon's control API.
// Names are written by strangers: they are put in as text and never as markup.

const SESSION_KEY = "hearsay-session";
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 4000;
const TOAST_MS = 8000;
// Searches give their results in bursts; this many looks a second are enough.
const SEARCH_PAUSE_MS = 150;
const SEARCH_WAIT_SECONDS = 20;
const RESULTS_SHOWN = 500;

const byId = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let session = sessionStorage.getItem(SESSION_KEY);
let scene = null;
let found = null;

// ---- Talking to the daemon

/** The daemon said no, with a code and a sentence. */
class Problem extends Error {
  constructor(status, { code, title, detail } = {}) {
    super(detail ?? title ?? `the daemon answered with status ${status}`);
    this.status = status;
    this.code = code;
    this.title = title ?? this.message;
  }
}

async function request(method, path, { body, signal } = {}) {
  const headers = {};
  if (session) headers.Authorization = `Bearer ${session}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method, headers, signal, body: body && JSON.stringify(body), credentials: "omit", redirect: "error",
  });
  if (response.ok) return response;
  throw new Problem(response.status, await response.json().catch(() => ({})));
}

const call = async (method, path, options) => (await request(method, path, options)).json();

/** Newline-delimited JSON. */
async function* documents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

// ---- The session: a link opens it once, and the tab keeps it

async function enter() {
  const link = location.hash.slice(1);
  if (link) {
    // Out of the address, and so out of the history.
    history.replaceState(null, "", location.pathname);
    try {
      const opened = await call("POST", "/v1/gui/session", { body: { link } });
      session = opened.session;
      sessionStorage.setItem(SESSION_KEY, session);
    } catch (error) {
      if (!session) return lock(error instanceof Problem ? "This link doesn’t work any more" : null);
    }
  }
  if (!session) return lock("Open this page with a link");
  watch();
}

function lock(title) {
  session = null;
  sessionStorage.removeItem(SESSION_KEY);
  byId("app").hidden = true;
  connection("", "off");
  byId("disconnect").hidden = true;
  byId("summary").textContent = "";
  if (!title) return notice(UNREACHABLE);
  notice({ title, text: "For a fresh one, run this in a terminal. It works once, and within 30 seconds.", command: "peerctl gui" });
}

const UNREACHABLE = {
  title: "The daemon is not reachable",
  text: "This page goes on by itself once it is back. If it was stopped, start it:",
  command: "peerctl start",
};

const NO_COORDINATOR = {
  title: "No coordinator is configured",
  text: "Others are found through one. Name it, and start the daemon again:",
  command: "peerctl stop; peerctl start -- --coordinator URL",
};

function notice(what) {
  byId("notice").hidden = !what;
  if (!what) return;
  setText(byId("notice-title"), what.title);
  setText(byId("notice-text"), what.text);
  setText(byId("notice-command"), what.command ?? "");
  byId("notice-command").hidden = !what.command;
}

// ---- Live

let stream = null;

async function watch() {
  if (stream) return;
  let pause = RETRY_FIRST_MS;
  while (session) {
    await untilVisible();
    stream = new AbortController();
    try {
      const response = await request("GET", "/v1/events", { signal: stream.signal });
      for await (const next of documents(response.body)) {
        pause = RETRY_FIRST_MS;
        show(next);
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        lock("This page’s session is over");
        break;
      }
    }
    // A browser has few connections for all tabs: those that nobody looks at give theirs back.
    if (document.hidden) continue;
    byId("app").inert = true;
    connection("not reachable", "lost");
    notice(UNREACHABLE);
    await sleep(pause);
    pause = Math.min(2 * pause, RETRY_MOST_MS);
  }
  stream = null;
}

const untilVisible = () => new Promise((visible) => {
  if (!document.hidden) return visible();
  const look = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", look);
    visible();
  };
  document.addEventListener("visibilitychange", look);
});

// ---- Showing

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function connection(text, state) {
  setText(byId("connection"), text);
  byId("connection").dataset.state = state;
}

/** Rows by key: one that stays keeps its element, and so its focus. */
class Rows {
  #rows = new Map();

  constructor(list, template, fill) {
    Object.assign(this, { list: byId(list), template: byId(template), fill });
  }

  show(items, keyOf) {
    let place = this.list.firstElementChild;
    const before = this.#rows;
    this.#rows = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const row = before.get(key) ?? this.template.content.firstElementChild.cloneNode(true);
      before.delete(key);
      this.#rows.set(key, row);
      if (row === place) place = place.nextElementSibling;
      else this.list.insertBefore(row, place);
      this.fill(row, item);
    }
    for (const gone of before.values()) gone.remove();
  }
}

/** Buttons in a row, made anew only when they differ: `[label, action]`, without an action for what can't be done. */
function setActions(row, name, actions) {
  const box = row.querySelector(".actions");
  const labels = actions.map(([label]) => label).join("|");
  if (box.dataset.labels === labels) return;
  const hadFocus = box.contains(document.activeElement);
  box.dataset.labels = labels;
  box.replaceChildren(...actions.map(([label, action]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.setAttribute("aria-label", `${label} ${name}`);
    button.disabled = !action;
    button.addEventListener("click", () => perform(button, action));
    return button;
  }));
  if (hadFocus) box.querySelector("button:enabled")?.focus();
}

async function perform(button, action) {
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    toast(error instanceof Problem ? error.message : "The daemon is not reachable.");
  } finally {
    button.disabled = false;
  }
}

let toastTimer;

function toast(text) {
  setText(byId("toast"), text);
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => setText(byId("toast"), ""), TOAST_MS);
}

const change = (download, verb) => () => call("POST", `/v1/downloads/${encodeURIComponent(download.id)}/${verb}`);
const remove = (download) => () => call("DELETE", `/v1/downloads/${encodeURIComponent(download.id)}`);

function actionsOf(download) {
  switch (download.state) {
    case "finished": return [["Remove", remove(download)]];
    case "failed":
    case "cancelled": return [["Retry", change(download, "retry")], ["Remove", remove(download)]];
    case "paused": return [["Resume", change(download, "resume")], ["Cancel", change(download, "cancel")]];
    case "verifying": return [];
    default: return [["Pause", change(download, "pause")], ["Cancel", change(download, "cancel")]];
  }
}

const STATES = {
  queued: "queued", requesting: "asking", dialling: "connecting", waiting: "waiting", verifying: "checking",
  finished: "done", paused: "paused", failed: "failed", cancelled: "cancelled",
};

function fillTransfer(row, transfer, done, preposition) {
  const { name, size, state, username } = transfer;
  const part = size ? done / size : 1;
  row.dataset.state = state;
  setText(row.querySelector(".name"), name);
  const place = transfer.position ? `, place ${transfer.position}` : "";
  const percent = state === "transferring" ? `${Math.floor(100 * part)} %` : (STATES[state] ?? state) + place;
  setText(row.querySelector(".state"), percent);
  const amount = state === "finished" ? bytes(size) : `${bytes(done)} of ${bytes(size)}`;
  const details = [`${preposition} ${username}`, amount];
  if (transfer.bytes_per_second) details.push(`${bytes(transfer.bytes_per_second)}/s`);
  if (state === "transferring" && transfer.eta_seconds != null) details.push(`${duration(transfer.eta_seconds)} left`);
  setText(row.querySelector(".detail"), details.join(" · "));
  setText(row.querySelector(".reason"), transfer.reason ?? "");
  const bar = row.querySelector("progress");
  bar.value = part;
  bar.hidden = state === "finished" || state === "cancelled";
  bar.setAttribute("aria-label", `${name}: progress`);
}

const downloads = new Rows("downloads", "transfer", (row, download) => {
  fillTransfer(row, download, download.received, "from");
  row.title = download.path;
  setActions(row, download.name, actionsOf(download));
});

const uploads = new Rows("uploads", "transfer", (row, upload) => fillTransfer(row, upload, upload.sent, "to"));

const fileOf = ({ root, size }) => `${root}:${size}`;

const results = new Rows("results", "result", (row, result) => {
  setText(row.querySelector(".name"), result.name);
  const details = [bytes(result.size), `from ${result.username}`];
  if (result.match === "exact") details.push("exact name");
  setText(row.querySelector(".detail"), details.join(" · "));
  const held = scene?.downloads.find((download) => fileOf(download) === fileOf(result));
  if (held?.state === "finished") return setActions(row, result.name, [["Fetched"]]);
  if (held && held.state !== "failed" && held.state !== "cancelled") {
    return setActions(row, result.name, [["On its way"]]);
  }
  const target = `${found.search}.${result.number}`;
  setActions(row, result.name, [["Fetch", () => call("POST", "/v1/downloads", { body: { targets: [target] } })]]);
});

function show(next) {
  scene = { ...scene, ...next };
  notice(scene.status.coordinator ? null : NO_COORDINATOR);
  byId("app").hidden = false;
  byId("app").inert = false;
  showConnection(scene.status);
  showSummary(scene.status);
  downloads.show([...scene.downloads].reverse(), ({ id }) => id);
  byId("no-downloads").hidden = scene.downloads.length > 0;
  uploads.show([...scene.uploads].reverse(), ({ id, name }) => `${id} ${name}`);
  byId("no-uploads").hidden = scene.uploads.length > 0;
  if (found) showResults(found);
}

function showConnection({ username, connected, connection_problem: problem, coordinator }) {
  byId("connect").hidden = connected || !coordinator;
  byId("disconnect").hidden = !username;
  byId("search").hidden = !connected && !found;
  if (connected) {
    connection(`connected as ${username}`, "on");
    setText(byId("connect-problem"), "");
  } else if (username) {
    connection(problem ? `not connected as ${username}` : `connecting as ${username}`, problem ? "lost" : "trying");
    if (problem) setText(byId("connect-problem"), problem);
  } else {
    connection(coordinator ? "not connected" : "no coordinator", "off");
  }
}

function showSummary({ shared_files: files, shared_bytes: size, scanning, coordinator, version }) {
  const shared = files ? `Sharing ${files} ${files === 1 ? "file" : "files"}, ${bytes(size)}` : "Sharing nothing";
  const parts = [shared + (scanning ? " (reading folders…)" : "")];
  if (coordinator) parts.push(`coordinator ${coordinator}`);
  setText(byId("summary"), [...parts, `Hearsay ${version}`].join(" · "));
}

function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; count >= 1024 && unit < units.length - 1; unit += 1) count /= 1024;
  return unit ? `${count.toFixed(1)} ${units[unit]}` : `${count} ${count === 1 ? "byte" : "bytes"}`;
}

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

// ---- Connecting and searching

byId("connect-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  const username = byId("username").value.trim();
  setText(byId("connect-problem"), "");
  button.disabled = true;
  try {
    await call("PUT", "/v1/connection", { body: { username } });
  } catch (error) {
    const taken = error.code === "username_taken" ? `${username}: ${error.title}. Choose another.` : error.message;
    setText(byId("connect-problem"), error instanceof Problem ? taken : "The daemon is not reachable.");
    byId("username").select();
  } finally {
    button.disabled = false;
  }
});

byId("disconnect").addEventListener("click", ({ target }) => perform(target, () => call("DELETE", "/v1/connection")));

let searching = null;

byId("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  search(byId("query").value.trim());
});

/** Shows results as they come, until the search is finished or another one begins. */
async function search(query) {
  searching?.abort();
  const own = searching = new AbortController();
  const { signal } = own;
  try {
    let next = await call("POST", "/v1/searches", { body: { query }, signal });
    for (;;) {
      showResults(next);
      if (next.finished) return;
      await sleep(SEARCH_PAUSE_MS);
      const news = `known=${next.results.length}&wait=${SEARCH_WAIT_SECONDS}`;
      next = await call("GET", `/v1/searches/${encodeURIComponent(next.search)}?${news}`, { signal });
    }
  } catch (error) {
    if (signal.aborted) return;
    setText(byId("search-summary"), error instanceof Problem ? error.message : "The daemon is not reachable.");
  }
}

function showResults(next) {
  found = next;
  results.show(next.results.slice(0, RESULTS_SHOWN), ({ number }) => `${next.search}.${number}`);
  const count = next.results.length;
  const more = count > RESULTS_SHOWN ? ` (the first ${RESULTS_SHOWN} are shown)` : "";
  const amount = count ? `${count} ${count === 1 ? "result" : "results"}` : next.finished ? "Nothing found" : "Searching";
  const going = next.finished ? "" : "…";
  setText(byId("search-summary"), `${amount} for “${next.query}”${more}${going}`);
}

addEventListener("hashchange", enter);
document.addEventListener("visibilitychange", () => { if (document.hidden) stream?.abort(); });
enter();
