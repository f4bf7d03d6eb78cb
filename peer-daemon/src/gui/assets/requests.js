// Others who ask for files and wait for this person's word.

import { setActions } from "./actions.js";
import { block } from "./blocks.js";
import { call } from "./daemon.js";
import { announce, byId, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { on } from "./scene.js";
import { bytes, contents, number, some } from "./words.js";

const FILES_SHOWN = 3;

/** A folder counts as the files in it. */
const amount = (files) => number(files.reduce((sum, { folder }) => sum + (folder?.files ?? 1), 0), "file");

const word = ({ id }, verb) => () => call("POST", `/v1/requests/${encodeURIComponent(id)}/${verb}`);

const rows = new Rows("requests", "request", ({ id }) => id, (row, request) => {
  const { username, files } = request;
  const names = some(files.map(({ name, folder }) => (folder ? `${name} (${contents(folder)})` : name)), FILES_SHOWN);
  setText(row.querySelector(".name"), names);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  setText(row.querySelector(".detail"), `${username} asks for ${amount(files)}, ${bytes(size)}`);
  setActions(row, `${username}: ${names}`, [
    ["Accept", word(request, "accept")], ["Decline", word(request, "decline")], ["Block", block(username)],
  ]);
});

let known = new Set();

on(["requests"], ({ requests }) => {
  byId("asking").hidden = requests.length === 0;
  rows.show(requests);
  const added = requests.filter(({ id }) => !known.has(id));
  if (added.length) announce(added.map(({ username, files }) => `${username} asks for ${amount(files)}`).join(", "));
  known = new Set(requests.map(({ id }) => id));
});
