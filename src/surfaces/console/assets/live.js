// The live page: every call that is on. Only the rows in view exist as elements, so that thousands of calls stay smooth.

import { $, agent_name, ask, el, length, micros, now_ms, on_key, other_party, set_clock, show_stop, state_chip, STATES } from "./base.js";
import { follow } from "./feed.js";
import { follow_meters, level_bars } from "./meters.js";
import { apply, cost, created, duration } from "./record.js";

// A call that ended stays in view for a while, so that it does not vanish from under one's eyes.
const LINGER_MS = 30_000;
const SPARE_ROWS = 6;

const calls = new Map();
const shown = new Map();
let order = [];
let rate = 0;
let dirty = true;

const grid = $("grid");
const rows = $("rows");

async function snapshot() {
  const state = await ask("/console/data/live");
  set_clock(state.now);
  show_stop(state.stop);
  rate = state.cost_per_minute;
  const known = new Set(state.calls.map((call) => call.id));
  for (const [id, call] of calls) if (!known.has(id) && call.state !== "ended") calls.delete(id);
  for (const call of state.calls) calls.set(call.id, { ...call, words: calls.get(call.id)?.words });
  changed();
  return state;
}

function event(entry) {
  const { type } = entry.event;
  if (type === "created") calls.set(entry.call_id, calls.get(entry.call_id) ?? created(entry));
  const call = calls.get(entry.call_id);
  if (!call) return;
  apply(call, entry);
  if (type === "caller_said") call.words = ["caller", entry.event.text];
  if (type === "agent_said") call.words = ["agent", entry.event.text];
  if (type === "barge_in") call.words = ["agent", `${entry.event.heard} –`];
  if (type === "ended") call.gone_at = Date.now() + LINGER_MS;
  changed();
}

function changed() {
  if (!dirty) requestAnimationFrame(draw);
  dirty = true;
}

function fits(call, find, state, direction) {
  if (state && call.state !== state) return false;
  if (direction && call.direction !== direction) return false;
  if (!find) return true;
  const text = `${call.from} ${call.to} ${call.agent} ${call.id} ${call.call_sid ?? ""} ${call.purpose ?? ""} ${call.words?.[1] ?? ""} ${STATES[call.state]}`;
  return find.split(/\s+/).every((word) => text.toLowerCase().includes(word) || like(other_party(call), word));
}

/** Whether digits that are looked for may be in a number; • stands for one that is not shown. */
function like(number, word) {
  const digits = word.replace(/[().-]/g, "");
  if (!/^\+?\d{2,}$/.test(digits)) return false;
  const fits_at = (at) => [...digits].every((digit, place) => number[at + place] === digit || number[at + place] === "•");
  return [...number].some((_, at) => fits_at(at));
}

function draw() {
  dirty = false;
  const find = $("find").value.trim().toLowerCase();
  const [state, direction] = [$("state").value, $("direction").value];
  const now = Date.now();
  let live = 0;
  order = [];
  for (const [id, call] of calls) {
    if (call.state === "ended") {
      call.gone_at ??= now + LINGER_MS;
      if (call.gone_at <= now) { calls.delete(id); continue; }
    } else live += 1;
    if (fits(call, find, state, direction)) order.push(call);
  }
  order.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  const fitting = order.filter((call) => call.state !== "ended").length;
  $("count").textContent = fitting === live ? `${live}` : `${fitting} of ${live} live`;
  $("none").hidden = order.length > 0;
  grid.hidden = order.length === 0;
  $("none").textContent = calls.size > 0 ? "No call fits the filter." : "No call is live. Calls appear here by themselves.";
  grid.setAttribute("aria-rowcount", order.length + 1);
  paint();
}

/** Puts the rows in view where they belong. */
function paint() {
  const height = Number.parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
  rows.style.height = `${order.length * height}px`;
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - SPARE_ROWS);
  const last = Math.min(order.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + SPARE_ROWS);
  const wanted = new Set();
  for (let place = first; place < last; place += 1) {
    const call = order[place];
    wanted.add(call.id);
    let row = shown.get(call.id);
    if (!row) { row = make_row(call); shown.set(call.id, row); }
    fill(row, call, place, height);
  }
  for (const [id, row] of shown) {
    if (wanted.has(id)) continue;
    if (row.root.contains(document.activeElement) && calls.has(id)) continue;
    row.root.remove();
    shown.delete(id);
  }
}

function make_row(call) {
  const bars = level_bars();
  const cell = (kind) => el("span", { role: "cell", class: kind });
  const row = { state: cell("st"), direction: cell("dir"), party: cell("party"), agent: cell("ag"), length: cell("len"), level: cell("level"), bars, words: cell("words"), added: cell("added"), cost: cell("cost") };
  row.link = el("a", { href: `/console/calls/${call.id}` });
  row.party.append(row.link);
  row.level.append(bars.root);
  row.root = el("div", { role: "row", class: "row" }, row.state, row.direction, row.party, row.agent, row.length, row.level, row.words, row.added, row.cost);
  row.link.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") step(1, event);
    if (event.key === "ArrowUp") step(-1, event);
  });
  return row;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fill(row, call, place, height) {
  const top = `translateY(${place * height}px)`;
  if (row.root.style.transform !== top) row.root.style.transform = top;
  row.root.setAttribute("aria-rowindex", place + 2);
  row.root.classList.toggle("over", call.state === "ended");
  const state = `${call.state} ${call.disposition} ${call.ending_as} ${call.operator} ${call.transfer?.is_connected}`;
  if (row.shown_state !== state) { row.state.replaceChildren(state_chip(call)); row.shown_state = state; }
  put(row.direction, call.direction === "inbound" ? "← in" : "→ out");
  put(row.link, other_party(call));
  put(row.agent, agent_name(call));
  const words = call.words;
  if (row.shown_words !== words) {
    row.words.replaceChildren(...(words ? [el("b", { class: words[0] }, `${words[0]} `), words[1]] : []));
    row.shown_words = words;
  }
  put_added(row, call);
  tick(row, call);
  if (!row.root.isConnected) rows.append(row.root);
}

/** What we add to each piece of audio, at p99: as of now while the call is on, in the end as counted. */
function put_added(row, call, reading) {
  const p99 = reading?.relay_p99_us ?? call.counters?.relay_p99_us ?? call.added;
  if (reading) call.added = p99;
  put(row.added, p99 ? micros(p99) : "–");
}

/** What changes by itself. */
function tick(row, call) {
  const seconds = duration(call, now_ms());
  put(row.length, seconds === null ? "–" : length(seconds));
  const amount = cost(call, rate, now_ms());
  put(row.cost, amount === null ? "–" : amount.toFixed(3));
}

/** Moves the focus to the next call, or the one before. */
function step(by, event) {
  event?.preventDefault();
  const at = order.findIndex((call) => shown.get(call.id)?.root.contains(document.activeElement));
  const place = Math.min(Math.max(at + by, 0), order.length - 1);
  const call = order[place];
  if (!call) return;
  const height = Number.parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
  const head = grid.querySelector(".head").offsetHeight;
  if (place * height < grid.scrollTop) grid.scrollTop = place * height;
  if ((place + 1) * height + head > grid.scrollTop + grid.clientHeight) grid.scrollTop = (place + 1) * height + head - grid.clientHeight;
  paint();
  shown.get(call.id)?.link.focus({ preventScroll: true });
}

grid.addEventListener("scroll", () => requestAnimationFrame(paint), { passive: true });
addEventListener("resize", changed);
for (const id of ["find", "state", "direction"]) $(id).addEventListener("input", changed);
$("filters").addEventListener("submit", (event) => event.preventDefault());
on_key("j", "Next call", () => step(1));
on_key("k", "Call before", () => step(-1));
setInterval(() => {
  for (const [id, row] of shown) { const call = calls.get(id); if (call) tick(row, call); }
  const now = Date.now();
  if ([...calls.values()].some((call) => call.gone_at <= now)) changed();
}, 1000);
draw();
follow({ snapshot, event, query: { settled: true } });
follow_meters(() => [...shown.keys()].filter((id) => calls.get(id)?.state === "in_progress"), (meters) => {
  for (const [id, row] of shown) {
    row.bars.show(meters[id]);
    if (meters[id]) put_added(row, calls.get(id), meters[id]);
  }
});
