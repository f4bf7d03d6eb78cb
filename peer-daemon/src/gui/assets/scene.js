// What the page knows of the daemon: the last document of each part, and who wants to hear of the next.

import { belongsTo, spelled } from "./words.js";

const PARTS = ["status", "downloads", "uploads", "requests", "shares"];

export const scene = { status: null, downloads: [], uploads: [], requests: [], shares: [] };

const watchers = [];

/** Calls `show` whenever one of the parts has changed. */
export const on = (parts, show) => watchers.push({ parts, show });

/** Takes a line of the stream of changes in. */
export function take(changes) {
  if (changes.status) belongsTo(changes.status.profile);
  spelled(changes);
  const changed = PARTS.filter((part) => part in changes);
  for (const part of changed) scene[part] = changes[part];
  for (const { parts, show } of watchers) {
    if (parts.some((part) => changed.includes(part))) show(scene);
  }
}
