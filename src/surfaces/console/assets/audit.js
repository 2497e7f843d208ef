// Who did what, newest first.

import { $, ask, attempt, day, el } from "./base.js";

let before = null;
const KINDS = { done: "good", refused: "warn", failed: "bad" };

async function load() {
  const page = await attempt(() => ask(`/console/data/audit${before ? `?before=${before}` : ""}`));
  if (!page) return;
  before = page.next_before;
  $("rows").append(...page.entries.map((entry) => el("tr", {},
    el("td", {}, day(entry.at)), el("td", {}, entry.by.name), el("td", {}, entry.by.door), el("td", {}, entry.action),
    el("td", {}, entry.target.startsWith("call_") ? el("a", { href: `/console/calls/${entry.target.split(" ")[0]}` }, `${entry.target.slice(0, 16)}…`) : entry.target, entry.detail ? ` ${entry.detail}` : ""),
    el("td", {}, el("span", { class: `chip ${KINDS[entry.outcome] ?? ""}` }, entry.outcome)))));
  $("none").hidden = $("rows").childElementCount > 0;
  $("more").hidden = !before;
}

$("more").addEventListener("click", load);
load();
