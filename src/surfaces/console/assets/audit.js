// Who did what, newest first.

import { $, ask, attempt, day, el, readable } from "./base.js";
import { look_again, Rows } from "./rows.js";

const rows = new Rows($("rows"), row);
let loaded = [];
let before = null;
let turn = 0;
let settled = 0;
// Actions in an operator's words: the routes of the API first.
const WORDS = {
  "/api/v1/calls": "place a call", "/api/v1/calls/{id}/end": "hang up", "/api/v1/dnc": "put on the do-not-call list",
  "/api/v1/dnc/remove": "take off the do-not-call list", "/console/actions/calls/{id}/do-not-call": "mark do-not-call",
  "/console/data/numbers": "look up a number", "/console/sign-out": "sign out", "/api/v1/consents": "record a consent",
  "/api/v1/consents/revoke": "revoke a consent", "/api/v1/outbound/stop": "stop all outbound", "/api/v1/outbound/release": "release outbound",
  "/api/v1/leads": "write a lead", "/api/v1/privacy/erase": "erase a person",
  ...Object.fromEntries(["message", "say", "dtmf", "mute", "unmute", "hold", "resume", "listen", "take-over", "transfer", "recording"]
    .map((step) => [`/api/v1/calls/{id}/${step}`, step.replace("message", "whisper to the agent").replace("-", " ")])),
};
const KINDS = { done: "good", refused: "warn", failed: "bad", read_numbers: "info" };

function row({ at, by, action, outcome, code, call_id: call }) {
  return el("tr", {},
    el("td", {}, day(at)), el("td", {}, by.name), el("td", {}, by.door), el("td", {}, WORDS[action] ?? readable(action)),
    el("td", { class: "wide" }, call ? el("a", { href: `/console/calls/${call}` }, `…${call.slice(-6)}`) : ""),
    el("td", {}, el("span", { class: `chip ${KINDS[outcome] ?? ""}` }, readable(outcome)), code ? ` ${code}` : ""));
}

const page_before = (place) => ask(`/console/data/audit${place ? `?before=${place}` : ""}`);

/** The entries before what is there, or those that came since: as many pages as it takes. */
async function load(onward) {
  turn += 1;
  const mine = turn;
  const newest = loaded[0]?.place ?? 0;
  const fresh = await attempt(async () => {
    if (onward) return page_before(before);
    const found = { entries: [], next_before: null };
    do {
      const page = await page_before(found.next_before);
      found.entries.push(...page.entries.filter(({ place }) => place > newest));
      found.next_before = page.next_before;
    } while (newest > 0 && found.next_before > newest && mine === turn);
    return found;
  });
  // Of two that cross the later one counts.
  if (mine !== turn) return;
  settled = mine;
  if (!fresh) return;
  if (onward || newest === 0) before = fresh.next_before;
  loaded = onward ? loaded.concat(fresh.entries) : fresh.entries.concat(loaded);
  rows.show(loaded.map((entry) => [entry.place, entry]));
  $("none").hidden = loaded.length > 0;
  $("more").hidden = !before;
}

$("more").addEventListener("click", () => load(true));
// Not into what somebody just asked for.
look_again(() => { if (settled === turn) load(false); });
load(false);
