// Calls of the daemon's control API, with this tab's session.

import { asSentence, spelled } from "./words.js";

const SESSION_KEY = "hearsay-session";

let session = sessionStorage.getItem(SESSION_KEY);

export const hasSession = () => session !== null;

/** Keeps a session for as long as the tab lives; null forgets it. */
export function setSession(next) {
  session = next;
  if (next) sessionStorage.setItem(SESSION_KEY, next);
  else sessionStorage.removeItem(SESSION_KEY);
}

/** The daemon said no, with a code and a sentence. */
export class Problem extends Error {
  constructor(status, { code, title, detail } = {}) {
    super(detail ?? title ?? `the daemon answered with status ${status}`);
    Object.assign(this, { status, code, title: title ?? this.message, detail });
  }
}

/** What to tell a person: what is wrong, and what to do about it. */
export function sentence(error) {
  if (!(error instanceof Problem)) return "The daemon is not reachable.";
  const parts = error.detail ? [error.title, error.detail] : [error.title];
  return parts.map(asSentence).join(" ");
}

export async function request(method, path, { body, signal } = {}) {
  const headers = {};
  if (session) headers.Authorization = `Bearer ${session}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method, headers, signal, body: body && JSON.stringify(body), credentials: "omit", redirect: "error",
  });
  if (response.ok) return response;
  throw new Problem(response.status, spelled(await response.json().catch(() => ({}))));
}

export const call = async (method, path, options) => spelled(await (await request(method, path, options)).json());

/** Newline-delimited JSON. */
export async function* documents(body) {
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
