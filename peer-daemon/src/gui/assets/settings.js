// Settings: whatever the daemon lets be set through the page, with words for those that this version knows.

import { setActions } from "./actions.js";
import { readBlocks } from "./blocks.js";
import { call, sentence } from "./daemon.js";
import { announce, byId, setText } from "./dom.js";
import { Rows } from "./rows.js";

/** In the order in which they are shown; others follow under their own names. */
const KNOWN = {
  upload_rate: { label: "Upload at most", hint: "Such as 500K or 2M, in bytes a second; 0 for no limit." },
  download_rate: { label: "Download at most", hint: "Such as 500K or 2M, in bytes a second; 0 for no limit." },
  uploads: { label: "Uploads", choices: { on: "Others can fetch", off: "Nothing is given for now" } },
  policy: { label: "When somebody asks for files", choices: { auto: "Give them in turn", ask: "Ask me first" } },
  conflict: {
    label: "When a name is taken",
    choices: { rename: "Number the new file", skip: "Keep the old file", overwrite: "Replace the old file" },
  },
  give_up_after: { label: "Give a download up after", hint: "As long as no source has it: such as 12h or 7d." },
  download_dir: { label: "Folder for downloads", hint: "An absolute path." },
  username: { label: "Username at the start", hint: "The daemon connects with it by itself." },
  coordinator: { label: "Coordinator", hint: "A URL such as https://hearsay.example." },
  download_port: { label: "Download port", hint: "Others who send files dial it; 0 picks a free one." },
  upload_port: { label: "Upload port", hint: "Uploads leave from it; 0 picks a free one." },
  public_download_port: { label: "Download port as others reach it", hint: "Where a router maps another one." },
  public_upload_port: { label: "Upload port as others reach it", hint: "Where a router maps another one." },
};
const ORDER = Object.keys(KNOWN);
const ORIGINS = {
  default: "The default.", file: "From the configuration file.", run_time: "Set by you.",
  environment: "From the environment, which goes before what is set here.",
  flag: "From the command line, which goes before what is set here.",
};

const panel = byId("settings");

const path = ({ name }) => `/v1/config/${encodeURIComponent(name)}`;
const place = ({ name }) => (ORDER.indexOf(name) + ORDER.length + 1) % (ORDER.length + 1);
const labelOf = ({ name }) => KNOWN[name]?.label ?? name.replaceAll("_", " ");

/** The control for a setting: a choice where all values are known, a line of text otherwise. */
function control(setting) {
  const choices = KNOWN[setting.name]?.choices;
  if (!choices || (setting.value !== null && !(setting.value in choices))) {
    const input = document.createElement("input");
    Object.assign(input, { autocomplete: "off", autocapitalize: "none", spellcheck: false });
    return input;
  }
  const select = document.createElement("select");
  select.append(...Object.entries(choices).map(([value, label]) => new Option(label, value)));
  return select;
}

const rows = new Rows("settings-list", "setting", ({ name }) => name, (row, setting) => {
  const label = labelOf(setting);
  setText(row.querySelector("label"), label);
  const box = row.querySelector(".control");
  if (!box.firstElementChild) {
    const made = control(setting);
    made.id = `setting-${setting.name}`;
    made.setAttribute("aria-describedby", `about-${setting.name} problem-${setting.name}`);
    row.querySelector("label").htmlFor = made.id;
    row.querySelector(".detail").id = `about-${setting.name}`;
    row.querySelector(".problem").id = `problem-${setting.name}`;
    row.querySelector("[type=submit]").setAttribute("aria-label", `Save: ${label}`);
    row.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      change(row, setting, "PUT", { body: { value: made.value.trim() } });
    });
    box.append(made);
  }
  const next = setting.at_next_start;
  const input = box.firstElementChild;
  if (document.activeElement !== input) input.value = (next ?? setting).value ?? "";
  const told = [KNOWN[setting.name]?.hint, next ? `From the next start on; now ${setting.value ?? "none"}.` : ORIGINS[setting.origin] ?? setting.origin];
  setText(row.querySelector(".detail"), told.filter(Boolean).join(" "));
  const isSet = (next ?? setting).origin === "run_time";
  setActions(row, label, isSet ? [["Reset", () => change(row, setting, "DELETE")]] : []);
});

async function change(row, setting, method, options) {
  const problem = row.querySelector(".problem");
  const input = row.querySelector(".control").firstElementChild;
  try {
    const configuration = await call(method, path(setting), options);
    setText(problem, "");
    input.removeAttribute("aria-invalid");
    const isReset = method === "DELETE";
    // What has the focus is not written over, and the button that was pressed goes.
    if (isReset) input.blur();
    show(configuration);
    if (isReset) input.focus();
    announce(`${labelOf(setting)}: saved`);
  } catch (error) {
    setText(problem, sentence(error));
    input.setAttribute("aria-invalid", "true");
  }
}

function show({ file, settings }) {
  rows.show(settings.filter(({ settable }) => settable).sort((a, b) => place(a) - place(b)));
  const rest = file ? `All else is in ${file}.` : "All else is in a configuration file, or given by flags.";
  setText(byId("settings-rest"), rest);
}

panel.addEventListener("toggle", async () => {
  if (!panel.open) return;
  try {
    await Promise.all([readBlocks(), call("GET", "/v1/config").then(show)]);
  } catch (error) {
    setText(byId("settings-rest"), sentence(error));
  }
});
