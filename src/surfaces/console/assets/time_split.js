// Where the time of a call went: the carrier's, ours, the agent's, each step as a bar at its place.

import { el, micros, millis, svg } from "./base.js";

const WIDTH = 420;
const LABEL = 128;
const ROW = 20;
const ANSWERS_SHOWN = 12;

const HOW_MEASURED = "From the caller's words, as the agent's text of them, to the agent's first audio; then to the carrier's socket; then, about, "
  + "to the phone: the carrier's report that this audio was played, less its length. How long the agent took to notice that the caller had finished is not known here.";
const BY_TEXT = "By the texts alone: the times of the audio are not known of this call. When a text comes, the caller has not heard it yet.";

/** When a turn's first audio came from the agent, and when it began to be heard; null where the carrier did not report it. */
function heard_at({ at, event: { relay_us: relay, played_ms: played, audio_ms: audio } }) {
  if (played === undefined) return null;
  const reported = Date.parse(at);
  return { came: reported - played - (relay ?? 0) / 1000, heard: reported - Math.min(audio, played) };
}

/** The steps up to the first words, each [name, whose, from, to] in ms. */
function steps(events) {
  const first = (test) => events.find(test);
  const at = (entry) => (entry ? Date.parse(entry.at) : null);
  const type = (name) => first(({ event }) => event.type === name);
  const status = (name) => first(({ event }) => event.type === "carrier_status" && event.status === name);
  const created = at(type("created"));
  const decided = at(type("decided"));
  const dialing = at(type("dialing"));
  const accepted = at(type("carrier_accepted"));
  const answered = at(status("in-progress"));
  const started = at(type("stream_started"));
  const connected = type("agent_connected");
  const ready = started !== null && connected ? started + connected.event.ready_ms : null;
  const timed = type("turn_timed");
  const audio = timed ? heard_at(timed) : null;
  // No audio is taken of an agent that is not ready: what is less than that is rounding.
  const came = audio && Math.max(audio.came, ready ?? audio.came);
  const words = audio ? [["First audio", "agent", ready, came], ["To the phone", "carrier", came, Math.max(came, audio.heard)]]
    : [["First words (text)", "agent", ready, at(type("agent_said"))]];
  return [
    ["Gate", "us", created, decided], ["Slot", "us", decided, dialing], ["Carrier takes it", "carrier", dialing, accepted],
    ["Ringing", "carrier", accepted, answered], ["Audio opens", "carrier", answered ?? accepted, started],
    ["Agent ready", "agent", started, ready], ...words,
  ].filter(([, , from, to]) => from !== null && to !== null && to >= from);
}

/** How long each answer took, as parts of [whose, ms]. */
export function parts({ agent_ms: agent, relay_us: relay, played_ms: played, audio_ms: audio }) {
  return [["agent", agent], ["us", relay === undefined ? undefined : relay / 1000], ["carrier", played === undefined ? undefined : Math.max(0, played - audio)]]
    .filter(([, ms]) => ms !== undefined);
}

/** The answers to what the caller said: by the audio, or of calls from before it was timed, or whose audio is elsewhere, by the texts. */
function answers(events) {
  const timed = events.filter(({ event }) => event.type === "turn_timed");
  if (timed.length > 0) return { by_text: false, list: timed.filter(({ event }) => event.agent_ms !== undefined).map(({ event }) => parts(event)) };
  const list = [];
  let said = null;
  for (const { at, event } of events) {
    if (event.type === "caller_said") said = Date.parse(at);
    if (event.type === "agent_said" && said !== null) { list.push([["agent", Date.parse(at) - said]]); said = null; }
  }
  return { by_text: true, list };
}

/** `reading`: what we add as of now, while the call is on. */
export function latency(events, call, reading, box) {
  const list = steps(events);
  const { by_text, list: waits } = answers(events);
  const added = added_words(call, reading);
  const key = JSON.stringify([list, waits, added]);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  const shown = [];
  if (list.length > 0) shown.push(waterfall(list));
  if (waits.length > 0) shown.push(el("h3", {}, "The agent's answers"), bars(waits), el("p", { class: "hint" }, by_text ? BY_TEXT : HOW_MEASURED));
  if (shown.length > 0) {
    shown.push(el("ul", { class: "key" }, el("li", { class: "us" }, "Clearline"), el("li", { class: "carrier" }, "Carrier and phone"), el("li", { class: "agent" }, "Agent")));
  }
  shown.push(el("p", { class: "hint" }, added));
  box.replaceChildren(...shown);
}

function added_words(call, reading) {
  const of = ({ relay_p50_us: p50, relay_p99_us: p99 }, verb) => `Clearline ${verb} ${micros(p50)} to each piece of audio at the median, ${micros(p99)} at p99.`;
  if (call.state !== "ended" && reading?.relay_p99_us) return of(reading, "adds");
  return call.counters?.relay_p99_us ? of(call.counters, "added") : "What Clearline adds to each piece of audio is known once the stream runs.";
}

function chart(rows, label, drawn) {
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${rows * ROW}`, role: "img", "aria-label": label }, drawn);
}

function bar(x, row, width, whose) {
  return svg("rect", { x, y: row * ROW + 4, width: Math.max(2, width), height: ROW - 8, rx: 2, class: whose });
}

function waterfall(list) {
  const from = Math.min(...list.map(([, , start]) => start));
  const to = Math.max(...list.map(([, , , end]) => end), from + 1);
  const scale = (WIDTH - LABEL - 56) / (to - from);
  const text = list.map(([name, , start, end]) => `${name} ${millis(end - start)}`).join(", ");
  return chart(list.length, `Up to the first words: ${text}`, list.flatMap(([name, whose, start, end], row) => {
    const [x, width] = [LABEL + (start - from) * scale, Math.max(2, (end - start) * scale)];
    return [
      svg("text", { x: 0, y: row * ROW + 14 }, name), bar(x, row, width, whose),
      svg("text", { x: x + width + 5, y: row * ROW + 14, class: "soft" }, millis(end - start)),
    ];
  }));
}

const sum = (wait) => wait.reduce((all, [, ms]) => all + ms, 0);
const NAMES = { agent: "agent", us: "Clearline", carrier: "carrier about" };

/** A part in words; ours is mostly less than a millisecond. */
export const part_words = ([whose, ms]) => `${NAMES[whose]} ${whose === "us" ? micros(Math.round(ms * 1000)) : millis(ms)}`;

function bars(waits) {
  const scale = (WIDTH - LABEL - 56) / Math.max(...waits.map(sum), 1);
  const shown = waits.slice(-ANSWERS_SHOWN);
  const label = `The agent's answers: ${shown.map((wait) => wait.map(part_words).join(", ")).join("; ")}`;
  return chart(shown.length, label, shown.flatMap((wait, row) => {
    let x = LABEL;
    const drawn = wait.map(([whose, ms]) => {
      const part = bar(x, row, ms * scale, whose);
      x += Math.max(2, ms * scale);
      return part;
    });
    return [
      svg("text", { x: 0, y: row * ROW + 14 }, `Answer ${waits.length - shown.length + row + 1}`), ...drawn,
      svg("text", { x: x + 5, y: row * ROW + 14, class: "soft" }, millis(sum(wait))),
    ];
  }));
}
