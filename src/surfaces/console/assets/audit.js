// Who did what, newest first.

import { $, ask, attempt, day, el, readable } from "./base.js";

let before = null;
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

async function load() {
  const page = await attempt(() => ask(`/console/data/audit${before ? `?before=${before}` : ""}`));
  if (!page) return;
  before = page.next_before;
  $("rows").append(...page.entries.map(row));
  $("none").hidden = $("rows").childElementCount > 0;
  $("more").hidden = !before;
}

$("more").addEventListener("click", load);
load();
