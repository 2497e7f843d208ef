// Who did what, newest first.

import { $, ask, attempt, day, el, readable } from "./base.js";

let before = null;
// The routes of the API in an operator's words.
const WORDS = {
  "POST /api/v1/calls": "place a call", "POST /api/v1/calls/{id}/end": "hang up", "POST /api/v1/dnc": "put on the do-not-call list",
  "POST /console/actions/calls/{id}/do-not-call": "mark do-not-call", "POST /console/data/numbers": "look up a number",
  "POST /console/actions/stop": "stop all outbound", "POST /console/actions/resume": "release outbound", "POST /console/sign-out": "sign out",
  "POST /api/v1/consents": "record a consent",
};
const KINDS = { done: "good", refused: "warn", failed: "bad", read_numbers: "info" };

async function load() {
  const page = await attempt(() => ask(`/console/data/audit${before ? `?before=${before}` : ""}`));
  if (!page) return;
  before = page.next_before;
  $("rows").append(...page.entries.map((entry) => el("tr", {},
    el("td", {}, day(entry.at)), el("td", {}, entry.by.name), el("td", {}, entry.by.door), el("td", {}, WORDS[entry.action] ?? entry.action),
    el("td", {}, entry.call_id ? el("a", { href: `/console/calls/${entry.call_id}` }, `…${entry.call_id.slice(-6)}`) : ""),
    el("td", {}, el("span", { class: `chip ${KINDS[entry.outcome] ?? ""}` }, readable(entry.outcome)), entry.code ? ` ${entry.code}` : ""))));
  $("none").hidden = $("rows").childElementCount > 0;
  $("more").hidden = !before;
}

$("more").addEventListener("click", load);
load();
