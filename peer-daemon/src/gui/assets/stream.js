// The stream of changes: opened while somebody looks, and opened again whenever it ends.

import { Problem, documents, hasSession, request } from "./daemon.js";

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 4000;

let open = null;
let isWatching = false;

/** Gives each change to `take` until the session is over; does nothing if that goes on already. */
export async function watch({ take, away, over }) {
  if (isWatching) return;
  isWatching = true;
  let pause = RETRY_FIRST_MS;
  while (hasSession()) {
    await untilVisible();
    open = new AbortController();
    try {
      const response = await request("GET", "/v1/events", { signal: open.signal });
      for await (const changes of documents(response.body)) {
        pause = RETRY_FIRST_MS;
        take(changes);
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 401) break;
    }
    // A browser has few connections for all tabs: those that nobody looks at give theirs back.
    if (document.hidden) continue;
    away();
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(2 * pause, RETRY_MOST_MS);
  }
  isWatching = false;
  over();
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

document.addEventListener("visibilitychange", () => { if (document.hidden) open?.abort(); });
