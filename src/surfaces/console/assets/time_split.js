// Where the time of a call went: the carrier's, ours, the agent's, each step as a bar at its place.

import { el, micros, millis, svg } from "./base.js";

const WIDTH = 420;
const LABEL = 128;
const ROW = 20;

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
  const spoke = at(type("agent_said"));
  const ready = started !== null && connected ? started + connected.event.ready_ms : null;
  return [
    ["Gate", "us", created, decided], ["Slot", "us", decided, dialing], ["Carrier takes it", "carrier", dialing, accepted],
    ["Ringing", "carrier", accepted, answered], ["Audio opens", "carrier", answered ?? accepted, started],
    ["Agent ready", "agent", started, ready], ["First words", "agent", ready, spoke],
  ].filter(([, , from, to]) => from !== null && to !== null && to >= from);
}

/** How long the agent took after each thing the caller said. */
function turns(events) {
  const found = [];
  let said = null;
  for (const { at, event } of events) {
    if (event.type === "caller_said") said = Date.parse(at);
    if (event.type === "agent_said" && said !== null) { found.push(Date.parse(at) - said); said = null; }
  }
  return found;
}

export function latency(events, call, box) {
  const list = steps(events);
  const answers = turns(events);
  const key = JSON.stringify([list, answers, call.counters?.relay_p99_us]);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  const parts = [];
  if (list.length > 0) parts.push(waterfall(list));
  if (answers.length > 0) parts.push(el("h3", {}, "The agent's answers"), bars(answers));
  const { relay_p50_us: p50, relay_p99_us: p99 } = call.counters ?? {};
  if (parts.length > 0) {
    parts.push(el("ul", { class: "key" }, el("li", { class: "us" }, "Clearline"), el("li", { class: "carrier" }, "Carrier and phone"), el("li", { class: "agent" }, "Agent")));
  }
  parts.push(el("p", { class: "hint" }, p99 ? `Clearline added ${micros(p50)} to each piece of audio at the median, ${micros(p99)} at p99.` : "What Clearline adds to each piece of audio is known when the stream ends."));
  box.replaceChildren(...parts);
}

function waterfall(list) {
  const from = Math.min(...list.map(([, , start]) => start));
  const to = Math.max(...list.map(([, , , end]) => end), from + 1);
  const scale = (WIDTH - LABEL - 56) / (to - from);
  const text = list.map(([name, , start, end]) => `${name} ${millis(end - start)}`).join(", ");
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${list.length * ROW}`, role: "img", "aria-label": `Up to the first words: ${text}` },
    list.flatMap(([name, whose, start, end], row) => {
      const [x, width] = [LABEL + (start - from) * scale, Math.max(2, (end - start) * scale)];
      return [
        svg("text", { x: 0, y: row * ROW + 14 }, name),
        svg("rect", { x, y: row * ROW + 4, width, height: ROW - 8, rx: 2, class: whose }),
        svg("text", { x: x + width + 5, y: row * ROW + 14, class: "soft" }, millis(end - start)),
      ];
    }));
}

function bars(answers) {
  const most = Math.max(...answers, 1);
  const scale = (WIDTH - LABEL - 56) / most;
  const shown = answers.slice(-12);
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${shown.length * ROW}`, role: "img", "aria-label": `The agent's answers: ${shown.map(millis).join(", ")}` },
    shown.flatMap((value, row) => {
      const width = Math.max(2, value * scale);
      return [
        svg("text", { x: 0, y: row * ROW + 14 }, `Turn ${answers.length - shown.length + row + 1}`),
        svg("rect", { x: LABEL, y: row * ROW + 4, width, height: ROW - 8, rx: 2, class: "agent" }),
        svg("text", { x: LABEL + width + 5, y: row * ROW + 14, class: "soft" }, millis(value)),
      ];
    }));
}
