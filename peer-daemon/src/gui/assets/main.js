// What the page shows comes as a stream of changes; what it does are calls of the daemon's control API. Each part of
// the page is a module of its own that hears of the parts of the scene that it shows.

import "./connection.js";
import "./requests.js";
import "./search.js";
import "./settings.js";
import "./shares.js";
import "./transfers.js";
import { awayFromDaemon } from "./connection.js";
import { byId } from "./dom.js";
import { enter, lock } from "./entrance.js";
import { NO_COORDINATOR, UNREACHABLE, notice } from "./notice.js";
import { on, scene, take } from "./scene.js";
import { watch } from "./stream.js";

async function begin() {
  if (!await enter()) return;
  watch({
    take(changes) {
      take(changes);
      notice(scene.status.coordinator ? null : NO_COORDINATOR);
      byId("app").hidden = false;
      byId("app").inert = false;
    },
    away() {
      byId("app").inert = true;
      awayFromDaemon();
      notice(UNREACHABLE);
    },
    over: () => lock("This page’s session is over"),
  });
}

/** The one shortcut: a slash goes to the search, as in many places, unless somebody is typing. */
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
  if (byId("app").hidden || byId("search").hidden) return;
  event.preventDefault();
  byId("query").focus();
});

addEventListener("hashchange", begin);
begin();
