// The way in: a link opens a session once, and the tab keeps it.

import { Problem, call, hasSession, setSession } from "./daemon.js";
import { byId, setText } from "./dom.js";
import { notice, UNREACHABLE } from "./notice.js";

const LINK = /^[0-9a-f]{64}$/;

/** Uses the link in the address, if there is one. Tells whether there is a session now. */
export async function enter() {
  const link = location.hash.slice(1);
  if (LINK.test(link)) {
    // Out of the address, and so out of the history.
    history.replaceState(null, "", location.pathname);
    try {
      setSession((await call("POST", "/v1/gui/session", { body: { link } })).session);
    } catch (error) {
      if (!hasSession()) lock(error instanceof Problem ? "This link doesn’t work any more" : null);
      return hasSession();
    }
  }
  if (!hasSession()) lock("Open this page with a link");
  return hasSession();
}

/** Shows nothing but how to get in. */
export function lock(title) {
  setSession(null);
  byId("app").hidden = true;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  setText(byId("connection"), "");
  byId("disconnect").hidden = true;
  setText(byId("summary"), "");
  if (!title) return notice(UNREACHABLE);
  notice({ title, text: "For a fresh one, run this in a terminal. It works once, and within 30 seconds.", command: "peerctl gui" });
}
