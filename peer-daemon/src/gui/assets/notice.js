// What stands above all else: why the page can't do its work now, and how to go on.

import { byId, setText } from "./dom.js";
import { spelled } from "./words.js";

export const UNREACHABLE = {
  title: "The daemon is not reachable",
  text: "This page goes on by itself once it is back. If it was stopped, start it:",
  command: "peerctl start",
};

export const NO_COORDINATOR = {
  title: "No coordinator is configured",
  text: "Others are found through one. Name it, and start the daemon again:",
  command: "peerctl config set coordinator URL; peerctl restart",
};

/** Shows a notice, or takes it away. */
export function notice(what) {
  byId("notice").hidden = !what;
  if (!what) return;
  setText(byId("notice-title"), what.title);
  setText(byId("notice-text"), what.text);
  setText(byId("notice-command"), spelled(what.command ?? ""));
  byId("notice-command").hidden = !what.command;
}
