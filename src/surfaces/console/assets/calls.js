// Calls of any age, newest first.

import { $, agent_name, ask, attempt, day, DISPOSITIONS, el, length, micros, other_party, state_chip } from "./base.js";

let cursor = null;
let loaded = [];

async function load(again) {
  const query = new URLSearchParams({ limit: "100" });
  for (const name of ["direction", "state"]) if ($(name).value) query.set(name, $(name).value);
  if (!again && cursor) query.set("cursor", cursor);
  const page = await attempt(() => ask(`/api/v1/calls?${query}`));
  if (!page) return;
  loaded = again ? page.calls : loaded.concat(page.calls);
  cursor = page.next_cursor;
  draw();
}

function draw() {
  const wanted = $("disposition").value;
  const list = loaded.filter((call) => !wanted || call.disposition === wanted);
  $("rows").replaceChildren(...list.map(row));
  $("none").hidden = list.length > 0;
  $("more").hidden = !cursor;
}

function row(call) {
  const { relay_p50_us: p50, relay_p99_us: p99 } = call.counters;
  return el("tr", {},
    el("td", {}, day(call.created_at)), el("td", {}, call.direction === "inbound" ? "← in" : "→ out"),
    el("td", {}, el("a", { href: `/console/calls/${call.id}` }, other_party(call))),
    el("td", {}, agent_name(call)), el("td", {}, state_chip(call)),
    el("td", {}, call.duration_s === null ? "–" : length(call.duration_s)),
    el("td", {}, p99 ? `${micros(p50)} / ${micros(p99)}` : "–"));
}

$("disposition").append(...Object.entries(DISPOSITIONS).map(([value, [text]]) => el("option", { value }, text)));
for (const id of ["direction", "state"]) $(id).addEventListener("change", () => load(true));
$("disposition").addEventListener("change", draw);
$("more").addEventListener("click", () => load(false));
load(true);
