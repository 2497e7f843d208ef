// Calls of any age, newest first. The server filters, so that what is looked for is found however far back it is.

import { $, agent_name, ask, attempt, day, DISPOSITIONS, el, length, micros, other_party, state_chip } from "./base.js";
import { look_again, Rows } from "./rows.js";

const PAGE = 100;
// What one request may give.
const PAGE_MAX = 200;

const rows = new Rows($("rows"), row);
let loaded = [];
let cursor = null;
let turn = 0;
let settled = 0;

function page_of(limit, after) {
  const query = new URLSearchParams({ limit });
  for (const name of ["direction", "state", "disposition"]) if ($(name).value) query.set(name, $(name).value);
  if (after) query.set("cursor", after);
  return ask(`/api/v1/calls?${query}`);
}

/** What is there goes no further under another filter. */
function refilter() {
  cursor = null;
  $("more").hidden = true;
  load(PAGE);
}

/** At least so many calls from the newest on, or those after what is there. */
async function load(least, onward = false) {
  turn += 1;
  const mine = turn;
  const fresh = await attempt(async () => {
    let [list, after] = onward ? [loaded, cursor] : [[], null];
    const wanted = list.length + least;
    do {
      const page = await page_of(Math.min(wanted - list.length, PAGE_MAX), after);
      list = list.concat(page.calls);
      after = page.next_cursor;
    } while (after && list.length < wanted && mine === turn);
    return { list, after };
  });
  // Of two that cross the later one counts.
  if (mine !== turn) return;
  settled = mine;
  if (!fresh) return;
  loaded = fresh.list;
  cursor = fresh.after;
  draw();
}

function draw() {
  rows.show(loaded.map((call) => [call.id, call]));
  $("none").hidden = loaded.length > 0;
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
for (const id of ["direction", "state", "disposition"]) $(id).addEventListener("change", refilter);
$("more").addEventListener("click", () => load(PAGE, true));
// Not into what somebody just asked for.
look_again(() => { if (settled === turn) load(Math.max(PAGE, loaded.length)); });
load(PAGE);
