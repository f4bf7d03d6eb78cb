// Others who ask for files and wait for this person's word.

import { setActions } from "./actions.js";
import { block } from "./blocks.js";
import { call } from "./daemon.js";
import { announce, byId, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { on } from "./scene.js";
import { bytes, number, some } from "./words.js";

const FILES_SHOWN = 3;

const word = ({ id }, verb) => () => call("POST", `/v1/requests/${encodeURIComponent(id)}/${verb}`);

const rows = new Rows("requests", "request", ({ id }) => id, (row, request) => {
  const { username, files } = request;
  const names = some(files.map(({ name }) => name), FILES_SHOWN);
  setText(row.querySelector(".name"), names);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  setText(row.querySelector(".detail"), `${username} asks for ${number(files.length, "file")}, ${bytes(size)}`);
  setActions(row, `${username}: ${names}`, [
    ["Accept", word(request, "accept")], ["Decline", word(request, "decline")], ["Block", block(username)],
  ]);
});

let known = new Set();

on(["requests"], ({ requests }) => {
  byId("asking").hidden = requests.length === 0;
  rows.show(requests);
  const added = requests.filter(({ id }) => !known.has(id));
  if (added.length) announce(added.map(({ username, files }) => `${username} asks for ${number(files.length, "file")}`).join(", "));
  known = new Set(requests.map(({ id }) => id));
});
