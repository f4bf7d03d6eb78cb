// Usernames that this person wants nothing to do with.

import { setActions } from "./actions.js";
import { call } from "./daemon.js";
import { byId, setText } from "./dom.js";
import { Rows } from "./rows.js";

const rows = new Rows("blocks", "share", ({ username }) => username, (row, { username }) => {
  setText(row.querySelector(".name"), username);
  setActions(row, username, [["Unblock", () => change("DELETE", `/v1/blocks?username=${encodeURIComponent(username)}`)]]);
});

function show({ blocks }) {
  rows.show(blocks);
  byId("blocked").hidden = blocks.length === 0;
}

const change = async (method, path, options) => show(await call(method, path, options));

export const readBlocks = () => change("GET", "/v1/blocks");

/** From now on this name is met with silence, and so is each that looks like it. */
export const block = (username) => () => change("POST", "/v1/blocks", { body: { username } });
