// One call: the conversation as it is spoken, the decision behind it, where the time went, and afterwards its recording.

import { $, agent_name, ask, attempt, can, clock, el, length, micros, now_ms, other_party, set_clock, state_chip } from "./base.js";
import { Conversation } from "./conversation.js";
import { whole } from "./decision.js";
import { follow } from "./feed.js";
import { follow_meters, level_bars } from "./meters.js";
import { apply, duration } from "./record.js";
import { forget_steps, note_step, offer } from "./step_in.js";
import { latency } from "./time_split.js";
import { Timeline } from "./timeline.js";

const id = $("call").dataset.id;
const talk = new Conversation($("lines"), $("interim"));
let call = null;
let events = [];
let decided = null;
const transfers = new Map();
let reading = null;
let turn_lines = new Map();
let story = new Timeline();
let timeline_at_end = true;
let dirty = false;

async function snapshot() {
  const state = await ask(`/console/data/calls/${id}`);
  set_clock(state.now);
  call = state.call;
  events = [];
  story = new Timeline();
  turn_lines = new Map();
  talk.clear();
  forget_steps();
  $("timeline").replaceChildren();
  for (const entry of state.events) add(entry);
  if (state.events.length === 0) $("timeline").append(el("li", {}, `Events of calls are kept for ${state.events_kept_days} days.`));
  // A call that is over is read from its beginning.
  timeline_at_end = talk.at_end = call.state !== "ended";
  draw();
  return state;
}

function event(entry) {
  if (entry.seq > 0) apply(call, entry);
  add(entry);
  if (!dirty) requestAnimationFrame(draw);
  dirty = true;
}

function add(entry) {
  talk.add(entry);
  if (entry.seq === 0) return;
  events.push(entry);
  note_step(entry);
  if (entry.event.type.startsWith("transfer_") && entry.event.decision_id) show_transfer(entry.event);
  const told = story.tell(entry);
  if (told) show_told(entry.at, told);
}

function show_told(at, [text, kind, turn]) {
  const words = el("span", { class: kind ?? "" }, text);
  const before = turn_lines.get(turn);
  if (before) before.replaceWith(words);
  else $("timeline").append(el("li", {}, el("span", { class: "at" }, clock(at)), words));
  if (turn) turn_lines.set(turn, words);
}

function draw() {
  dirty = false;
  const party = other_party(call);
  $("party").textContent = `${call.direction === "inbound" ? "From" : "To"} ${party}`;
  document.title = `${party} · Clearline`;
  $("state").replaceChildren(state_chip(call));
  $("levels").hidden = call.state !== "in_progress";
  tick();
  offer(call);
  $("quiet").textContent = silence();
  $("quiet").hidden = !$("quiet").textContent;
  latency(events, call, reading, $("latency"));
  if (call.decision_id && decided !== call.decision_id) show_decision(call.decision_id);
  if (call.state === "ended") { show_recordings(); talk.interim(""); }
  talk.keep_up();
  if (timeline_at_end) $("timeline").scrollTop = $("timeline").scrollHeight;
  show_exports();
  if ($("raw").parentElement.open) show_raw();
}

/** Why there is no conversation to be read. */
function silence() {
  if (!talk.is_empty()) return "";
  if (call.state === "ended") return "Nothing was said.";
  const waits = call.state === "in_progress" && !call.at_vendor && !events.some(({ event: { type } }) => type === "stream_started");
  return waits ? "Answered. The carrier speaks the opening; the agent comes on after it." : "";
}

function tick() {
  if (!call) return;
  const seconds = duration(call, now_ms());
  const facts = [agent_name(call), call.purpose, seconds === null ? null : length(seconds), call.answered_by ? `answered by ${call.answered_by.replaceAll("_", " ")}` : null,
    added(), call.summary];
  $("facts").textContent = facts.filter(Boolean).join(" · ");
}

/** What we add to each piece of audio: as of now while the call is on, in the end as counted. */
function added() {
  const of = ({ relay_p50_us: p50, relay_p99_us: p99 }, verb) => `Clearline ${verb} ${micros(p50)} (p99 ${micros(p99)})`;
  if (call.state !== "ended" && reading?.relay_p99_us) return of(reading, "adds");
  return call.counters?.relay_p99_us ? of(call.counters, "added") : null;
}

async function show_decision(decision) {
  decided = decision;
  if (!can("compliance:read")) return;
  const detail = await attempt(() => ask(`/console/data/decisions/${decision}`));
  if (!detail) return;
  $("decision").replaceChildren(...whole(detail));
  $("decision-box").hidden = false;
}

/** The gate's decision about ringing an outside number, once: it has nothing to do with the call's own. */
async function show_transfer({ type, decision_id: decision }) {
  if (!can("compliance:read") || transfers.has(decision)) return;
  const box = el("div", {});
  transfers.set(decision, null);
  $("transfers").append(box);
  const detail = await attempt(() => ask(`/console/data/decisions/${decision}`));
  if (!detail) { transfers.delete(decision); box.remove(); return; }
  transfers.set(decision, detail);
  const title = `${type === "transfer_blocked" ? "Transfer refused" : "Transfer allowed"} to ${detail.number ?? "a number that was erased"}`;
  box.append(el("h3", {}, title), ...whole(detail));
  $("transfers-box").hidden = false;
}

function show_recordings() {
  const player = $("player");
  const ready = (call.recordings || []).filter((recording) => recording.status === "completed");
  const key = ready.map((recording) => recording.sid).join();
  if (player.dataset.shown === key) return;
  player.dataset.shown = key;
  if (!can("numbers:read") || ready.length === 0) return player.replaceChildren();
  player.replaceChildren(...ready.map((recording) => el("p", {}, el("button", { type: "button", onclick: (click) => play(recording, click.target) },
    `▶ Play the recording${recording.duration_s ? ` (${length(recording.duration_s)})` : ""}`))));
}

/** A file of this call, as a blob; undefined where there is none, which is said. */
async function load(path, button) {
  button.disabled = true;
  const loaded = await attempt(async () => {
    const response = await fetch(`/console/data/calls/${id}/${path}`);
    if (!response.ok) throw new Error((await response.json()).detail);
    return response.blob();
  });
  button.disabled = false;
  return loaded;
}

async function play(recording, button) {
  const sound = await load(`recordings/${recording.sid}`, button);
  if (!sound) return;
  const audio = el("audio", { controls: true, src: URL.createObjectURL(sound), "aria-label": "Recording of the call" });
  $("player").replaceChildren(audio);
  talk.play_along(audio, Date.parse(beginning(recording)));
  audio.play().catch(() => {});
}

/** When a recording began: as the carrier told, or with the answer, from which on it records where it was not asked to start later. */
function beginning({ sid }) {
  const told = events.find(({ event }) => event.type === "recording_stored" && event.recording_sid === sid && event.status === "in-progress");
  return told?.at ?? call.answered_at ?? call.created_at;
}

function show_exports() {
  if ($("exports").childElementCount > 0) return;
  const link = (text, href, download) => el("li", {}, el("a", { href, download }, text));
  $("exports").append(
    el("li", {}, el("button", { type: "button", onclick: save_json }, "Call and events as JSON")),
    link("Events as CSV", `/console/data/calls/${id}/events.csv`, `${id}-events.csv`),
    link("Transcript as JSON", `/api/v1/calls/${id}/transcript`, `${id}-transcript.json`));
  if (can("numbers:read") && can("compliance:read")) {
    $("exports").append(el("li", {}, el("button", { type: "button", onclick: (click) => save_evidence(click.currentTarget) }, "Evidence bundle (zip)")));
  }
}

async function save_evidence(button) {
  const bundle = await load("evidence", button);
  if (bundle) save(bundle, `${id}-evidence.zip`);
}

function save(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function save_json() {
  const state = await attempt(() => ask(`/console/data/calls/${id}`));
  if (!state) return;
  const decision = call.decision_id ? await attempt(() => ask(`/console/data/decisions/${call.decision_id}`)) : null;
  const text = JSON.stringify({ call: state.call, decision, transfer_decisions: [...transfers.values()].filter(Boolean), events: state.events }, null, 2);
  save(new Blob([text], { type: "application/json" }), `${id}.json`);
}

function show_raw() {
  $("raw").textContent = events.map((entry) => JSON.stringify(entry)).join("\n");
}

$("timeline").addEventListener("scroll", ({ target }) => { timeline_at_end = target.scrollHeight - target.scrollTop - target.clientHeight < 30; }, { passive: true });
$("raw").parentElement.addEventListener("toggle", show_raw);
setInterval(tick, 1000);
const bars = level_bars();
$("levels").append(bars.root);
follow_meters(() => (call?.state === "in_progress" ? [id] : []), (meters) => {
  reading = meters[id] ?? null;
  bars.show(reading);
  if (call) latency(events, call, reading, $("latency"));
});
follow({ snapshot, event, query: { call_id: id } });
