// How the house stands. Each warning says what to do.

import { $, ask, attempt, clock, el, set_clock } from "./base.js";

const KINDS = { fine: ["good", "Fine"], note: ["info", "Note"], warning: ["warn", "Warning"] };
const RANK = { warning: 0, note: 1, fine: 2 };

async function look() {
  const health = await attempt(() => ask("/console/data/health"));
  if (!health) return;
  set_clock(health.now);
  $("looked").textContent = `looked at ${clock(health.now)}, again every 30 s`;
  const checks = health.checks.sort((a, b) => RANK[a.level] - RANK[b.level]);
  $("checks").replaceChildren(...checks.map(({ area, level, text, remedy }) => el("li", {},
    el("span", {}, el("span", { class: `chip ${KINDS[level][0]}` }, KINDS[level][1])), el("span", { class: "area" }, area),
    el("span", {}, text, remedy ? el("span", { class: "remedy" }, remedy) : null))));
  const figures = [["Live calls", health.live_calls], ["Media streams", health.open_streams], ["Calls waiting for a slot", health.queued_calls], ["Journal queue", health.journal_depth],
    ["Interim texts dropped", health.interim_dropped], ["Decisions in the ledger", health.decisions], ["Version", health.version]];
  $("figures").replaceChildren(...figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))),
    el("div", {}, el("dt", {}, "Ledger head"), el("dd", { class: "mono" }, `${health.decisions}:${health.ledger_head}`)),
    el("div", {}, el("dt", {}, "Rules"), el("dd", { class: "mono" }, health.rule_set)));
}

look();
setInterval(look, 30_000);
