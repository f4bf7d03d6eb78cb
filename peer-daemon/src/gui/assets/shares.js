// The shared folders. What others would see of a folder is shown before it is shared.

import { perform, setActions, toast } from "./actions.js";
import { call, sentence } from "./daemon.js";
import { byId, setText } from "./dom.js";
import { Rows } from "./rows.js";
import { on } from "./scene.js";
import { bytes, number } from "./words.js";

const ORIGINS = { file: "named in the configuration file", environment: "named in HEARSAY_SHARE", flag: "named with --share" };
const LEFT_OUT = {
  hidden: "hidden", links: "symbolic links", others: "unfinished or neither file nor folder",
  unreadable: "not readable", beyond_limits: "too large, too deep or too many",
};

const field = byId("folder");
const dialog = byId("preview");
let previewed = null;

const share = (path, folders) => call("POST", "/v1/shares", { body: { path, folders } });
const remove = ({ path }) => () => call("DELETE", `/v1/shares?path=${encodeURIComponent(path)}`);

const rows = new Rows("shares", "share", ({ path }) => path, (row, shared) => {
  const { path, origin, folders } = shared;
  setText(row.querySelector(".name"), path);
  const details = [`${number(shared.files, "file")}, ${bytes(shared.bytes)}`];
  if (folders) details.push(`${number(shared.whole_folders, "whole folder")}`);
  if (shared.too_large_folders) details.push(`${number(shared.too_large_folders, "folder")} with too much for that`);
  if (origin !== "run_time") details.push(ORIGINS[origin] ?? origin);
  setText(row.querySelector(".detail"), details.join(" · "));
  setText(row.querySelector(".reason"), shared.problem ?? "");
  const actions = [[folders ? "Single files only" : "Offer whole folders", () => share(path, !folders)]];
  if (origin === "run_time") actions.push(["Remove", remove(shared)]);
  setActions(row, path, actions);
});

const names = new Rows("preview-names", "previewed", ({ key }) => key, (row, { name, size }) => {
  setText(row.querySelector(".name"), name);
  setText(row.querySelector(".detail"), bytes(size));
});

function tellProblem(text) {
  setText(byId("folder-problem"), text);
  field.setAttribute("aria-invalid", String(text !== ""));
}

function showPreview(preview) {
  previewed = preview;
  setText(byId("preview-path"), preview.path);
  const amount = preview.files ? `${number(preview.files, "file")}, ${bytes(preview.bytes)}` : "No file in it would be shared";
  setText(byId("preview-summary"), amount);
  const leftOut = Object.entries(LEFT_OUT).filter(([kind]) => preview[kind]).map(([kind, words]) => `${preview[kind]} ${words}`);
  byId("whole").checked = preview.folders;
  const tooLarge = preview.too_large_folders;
  setText(byId("preview-too-large"), tooLarge ? `${number(tooLarge, "folder")} with too much in it can’t be.` : "");
  setText(byId("preview-left-out"), leftOut.length ? `Left out: ${leftOut.join(", ")}.` : "");
  names.begin();
  names.show(preview.first.map((file, key) => ({ ...file, key })));
  const rest = preview.files - preview.first.length;
  setText(byId("preview-rest"), rest > 0 ? `And ${number(rest, "file")} more.` : "");
  dialog.showModal();
}

byId("share-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  tellProblem("");
  const button = event.target.querySelector("button");
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    showPreview(await call("POST", "/v1/shares/preview", { body: { path: field.value.trim() } }));
  } catch (error) {
    tellProblem(sentence(error));
    field.select();
  } finally {
    button.ariaBusy = "false";
  }
});

byId("share-it").addEventListener("click", ({ currentTarget }) => perform(currentTarget, async () => {
  const { path } = previewed;
  dialog.close();
  try {
    await share(path, byId("whole").checked);
    field.value = "";
  } catch (error) {
    toast(sentence(error));
  }
}));

byId("rescan").addEventListener("click", ({ currentTarget }) => {
  perform(currentTarget, () => call("POST", "/v1/shares/rescan"));
});

on(["shares"], ({ shares }) => {
  rows.show(shares);
  byId("no-shares").hidden = shares.length > 0;
  byId("rescan").hidden = shares.length === 0;
});

on(["status"], ({ status: { scanning, shared_files: files } }) => {
  setText(byId("scan"), scanning ? `Reading folders: ${number(files, "file")} so far…` : "");
});
