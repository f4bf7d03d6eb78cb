// Who this peer is, whether it is connected, and why not.

import { perform } from "./actions.js";
import { call, sentence } from "./daemon.js";
import { byId, setText } from "./dom.js";
import { on } from "./scene.js";
import { asSentence, bytes, number } from "./words.js";

const field = byId("username");
let isBusy = false;
/** The last name that was put into the field. */
let offered = null;
/** Whether what is told beside the field is the answer to what was typed there: that is the fuller one. */
let isAnswer = false;

function tell(text, state) {
  setText(byId("connection"), text);
  byId("connection").dataset.state = state;
}

export const awayFromDaemon = () => tell("not reachable", "lost");

/** Once for each name: whoever empties the field means to type another one. */
function offer(username) {
  if (username === offered) return;
  offered = username;
  if (!field.value && document.activeElement !== field) field.value = username;
}

/** Beside the field, and tied to it for those who hear it. */
function tellProblem(text) {
  setText(byId("connect-problem"), text);
  field.setAttribute("aria-invalid", String(text !== ""));
}

function show({ status: { username, connected, connection_problem: problem, coordinator } }) {
  byId("connect").hidden = connected || !coordinator;
  byId("disconnect").hidden = !username;
  if (connected) {
    tell(`connected as ${username}`, "on");
    tellProblem("");
  } else if (username) {
    tell(problem ? `not connected as ${username}` : `connecting as ${username}`, problem ? "lost" : "trying");
    if (problem && !isBusy && !isAnswer) tellProblem(asSentence(problem));
    offer(username);
  } else {
    tell(coordinator ? "not connected" : "no coordinator", "off");
  }
}

function summarise({ status: { shared_files: files, shared_bytes: size, scanning, coordinator, version } }) {
  const shared = files ? `Sharing ${number(files, "file")}, ${bytes(size)}` : "Sharing nothing";
  const parts = [shared + (scanning ? " so far (reading folders…)" : "")];
  if (coordinator) parts.push(`coordinator ${coordinator}`);
  setText(byId("summary"), [...parts, `Hearsay ${version}`].join(" · "));
}

byId("connect-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const username = field.value.trim();
  if (isBusy) return;
  isBusy = true;
  isAnswer = false;
  // It is in the field already: told by the daemon later, it would come between the letters of the next one.
  offered = username;
  tellProblem("");
  try {
    await call("PUT", "/v1/connection", { body: { username } });
    byId("query").focus();
  } catch (error) {
    isAnswer = true;
    const isTaken = error.code === "username_taken";
    tellProblem(isTaken ? `${username}: ${error.title}. Choose another.` : sentence(error));
    field.select();
  } finally {
    isBusy = false;
  }
});

byId("disconnect").addEventListener("click", ({ currentTarget }) => {
  perform(currentTarget, () => call("DELETE", "/v1/connection"));
});

on(["status"], show);
on(["status"], summarise);
