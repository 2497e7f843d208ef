// What an operator can do to a live call: listen, whisper, speak, mute, record, take over, transfer, hang up.

import { $, ask, attempt, can, el, on_key, other_party, say, sure } from "./base.js";
import { Microphone, open_socket, Player } from "./audio.js";

const CALLER = 0;
const AGENT = 1;
const CLEARED = 2;
const OPERATOR = 3;
// A fifth of a second of the caller may wait; the agent's audio comes in bursts and waits as long as it is.
const CALLER_LIMIT = 1600;

let call = null;
let steps = {};
let line = null;
let made = false;
// A recording was asked for whose notice is still being spoken.
let announcing = false;

/** Keeps what the events say of mute, hold, take-over and the recording. */
export function note_step({ event }) {
  if (event.type === "agent_muted") steps.muted = true;
  if (event.type === "agent_unmuted") steps.muted = false;
  if (event.type === "held") steps.held = true;
  if (event.type === "resumed") steps.held = false;
  if (event.type === "handed_over") steps.muted = steps.held = false;
  if (event.type === "taken_over") steps.operator = event.by.name;
  if (event.type === "handed_back") steps.operator = null;
  if (event.type === "opted_out") steps.listed = true;
  if (event.type === "recording_steered") steps.recording = { start: "on", pause: "paused", resume: "on", stop: null }[event.step];
  if (event.type === "recording_stored") note_recording(event);
}

/** What the carrier tells: it may have begun to record by itself, and it tells late. */
function note_recording({ recording_sid: sid, status }) {
  if (status === "in-progress") {
    steps.recording ??= "on";
    steps.recording_sid = sid;
  } else if (steps.recording_sid === sid) {
    steps.recording = null;
  }
}

export function forget_steps() {
  steps = {};
}

// Whoever places calls may work them too; stepping between agent and caller is for operators.
const WORK = ["calls:control", "calls:write"];
const CONTROL = ["calls:control"];

const BUTTONS = [
  ["listen", "Listen", "i", CONTROL, toggle_listening],
  ["take-over", "Take over", "o", CONTROL, toggle_take_over],
  ["whisper", "Whisper to agent", "w", WORK, () => ask_for(WHISPER)],
  ["speak", "Say to caller", "s", CONTROL, () => ask_for(SPEAK)],
  ["mute", "Mute agent", "m", CONTROL, () => switch_("mute", "unmute", steps.muted)],
  ["hold", "Hold", "b", CONTROL, () => switch_("hold", "resume", steps.held)],
  ["record", "Record", "r", WORK, record],
  ["pause", "Pause recording", "u", WORK, () => steer_recording(steps.recording === "paused" ? "resume" : "pause")],
  ["keys", "Send keys", "k", WORK, () => ask_for(KEYS)],
  ["transfer", "Transfer", "x", WORK, () => ask_for(TRANSFER)],
  ["do-not-call", "Mark do-not-call", "", ["compliance:write"], do_not_call],
  ["hang-up", "Hang up", "e", WORK, hang_up],
];

// What is possible while the audio is at the agent's vendor. Take the call over, and it is here.
const AT_VENDOR = ["take-over", "whisper", "transfer"];

const WHISPER = {
  title: "Whisper to the agent", label: "What the agent should know. The caller does not hear it.", action: "Whisper", path: "message",
  more: () => el("label", {}, el("input", { type: "checkbox", id: "as-caller" }), " Answer it as if the caller had said it"),
  body: (text) => ({ text, kind: $("as-caller").checked ? "user_message" : "context" }), done: "The agent was told.",
};
const SPEAK = {
  title: "Say to the caller", label: "A sentence that our own voice speaks to the caller.", action: "Say", path: "say",
  body: (text) => ({ text }), done: "It is being said.",
};
const KEYS = { title: "Send keys", label: "Keys for the other side's menu: 0-9, *, #, w waits.", action: "Send", path: "dtmf", body: (keys) => ({ keys }), done: "The keys are sent." };
const TRANSFER = {
  title: "Transfer", label: "A colleague's name, or a number. An outside number is rung with the gate's clearance only.", action: "Transfer", path: "transfer",
  more: () => el("input", { type: "text", id: "briefing", placeholder: "What the other one hears first (optional)", "aria-label": "Briefing" }),
  body: (to) => ({ to, ...($("briefing").value ? { briefing: $("briefing").value } : {}) }), done: "The other phone rings.",
};

/** Puts up the buttons once and keeps them in step with the call. */
export function offer(now) {
  call = now;
  if (!made) {
    made = true;
    for (const [id, text, key, scopes, act] of BUTTONS) {
      if (!scopes.some(can)) continue;
      const run = () => { if (!$(id).hidden) act(); };
      const kind = id === "hang-up" ? "danger quiet" : null;
      $("actions").append(el("button", { type: "button", id, class: kind, onclick: run }, el("span", {}, text), key ? el("kbd", { "aria-hidden": "true" }, key) : null));
      if (key) on_key(key, text, run);
    }
  }
  const ended = call.state === "ended";
  const talking = call.state === "in_progress";
  for (const [id] of BUTTONS) {
    const button = $(id);
    const works = talking && (id === "pause" ? Boolean(steps.recording) : !call.at_vendor || AT_VENDOR.includes(id) || (id === "record" && steps.recording));
    if (button) button.hidden = id === "do-not-call" ? false : id === "hang-up" ? ended : !works;
  }
  label("mute", steps.muted ? "Unmute agent" : "Mute agent", steps.muted);
  label("hold", steps.held ? "Take off hold" : "Hold", steps.held);
  label("record", steps.recording ? "Stop recording" : announcing ? "Announcing the recording …" : "Record", steps.recording);
  label("pause", steps.recording === "paused" ? "Resume recording" : "Pause recording", steps.recording === "paused");
  label("do-not-call", steps.listed ? "On the do-not-call list" : "Mark do-not-call", steps.listed);
  if ($("do-not-call")) $("do-not-call").disabled = Boolean(steps.listed);
  label("listen", line?.kind === "listen" ? "Stop listening" : "Listen", line?.kind === "listen");
  label("take-over", line?.kind === "take-over" ? "Hand back" : "Take over", line?.kind === "take-over");
  tell_state("taken", steps.operator && line?.kind !== "take-over" ? `${steps.operator} has taken the call over.` : "");
  tell_state("recorded", talking && steps.recording ? (steps.recording === "paused" ? "The recording is paused." : "This call is being recorded.") : "");
  if (ended) { hang_line(); $("panel").replaceChildren(); }
}

function label(id, text, pressed) {
  const button = $(id);
  if (!button) return;
  if (button.firstChild.textContent !== text) button.firstChild.textContent = text;
  button.setAttribute("aria-pressed", String(Boolean(pressed)));
}

/** Only where it changed: screen readers read it out each time. */
function tell_state(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

const post = (step, body) => ask(`/api/v1/calls/${call.id}/${step}`, { method: "POST", body });

async function switch_(on, off, is_on) {
  await attempt(() => post(is_on ? off : on));
}

const steer_recording = (step, done) => attempt(() => post("recording", { step }), done);

/** Stops, or starts, which takes until the notice was heard: a second start meanwhile would speak it twice. */
async function record() {
  if (steps.recording) return steer_recording("stop");
  if (announcing) return say("The caller is being told of the recording.");
  announcing = true;
  offer(call);
  await steer_recording("start");
  announcing = false;
  return offer(call);
}

/** One line of input below the buttons. */
function ask_for({ title, label: text, action, path, more, body, done }) {
  if (line) return say("Hand the call back, or stop listening, first.");
  const input = el("input", { type: "text", required: true, maxlength: 1000, "aria-label": title, autocomplete: "off" });
  const close = () => { $("panel").replaceChildren(); $("actions").querySelector("button")?.focus(); };
  const form = el("form", { class: "panel", "aria-label": title },
    el("p", { class: "why" }, text), input, more ? more() : null,
    el("button", { type: "submit", class: "primary" }, action), el("button", { type: "button", onclick: close }, "Cancel"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await attempt(() => post(path, body(input.value.trim())), done);
    if (answer !== undefined) close();
  });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } });
  $("panel").replaceChildren(form);
  input.focus();
  return undefined;
}

async function toggle_listening() {
  if (line?.kind === "listen") return hang_line();
  if (line) return say("You are speaking on this call and hear it already.");
  return open_line("listen");
}

async function toggle_take_over() {
  if (line?.kind === "take-over") return hang_line();
  hang_line();
  return open_line("take-over");
}

/** Opens the socket of a call: to listen, or to speak too. */
async function open_line(kind) {
  const opened = { kind };
  line = opened;
  document.body.dataset.line = opened.kind;
  try {
    opened.player = await Player.open((levels) => show_levels(opened, levels));
    const url = `${location.origin.replace(/^http/, "ws")}/api/v1/calls/${call.id}/${kind}`;
    // The microphone first: a call is not taken from its agent before its user can speak.
    if (kind === "take-over") opened.microphone = await Microphone.open((frame) => speak(opened, frame));
    opened.socket = await open_socket(url, { message: (bytes, told) => (bytes ? take(opened, bytes) : tell(opened, told)), ended: () => end(opened) });
  } catch (error) {
    shut(opened);
    if (line === opened) { line = null; delete document.body.dataset.line; }
    // A refused socket gives no reason; this one is known here.
    say(kind === "take-over" && steps.operator ? `${steps.operator} has the call and must hand it back first.` : error.message, "bad");
    return;
  }
  if (line !== opened) return shut(opened);
  show_line(opened);
  offer(call);
}

function take(opened, bytes) {
  const [track] = bytes;
  if (track === CLEARED) opened.player.clear(AGENT);
  if (track === CALLER) opened.player.play(CALLER, bytes.subarray(1), CALLER_LIMIT);
  if (track === AGENT) opened.player.play(AGENT, bytes.subarray(1));
  opened.frames = (opened.frames ?? 0) + 1;
  $("panel").dataset.frames = opened.frames;
}

function speak(opened, frame) {
  if (opened.socket?.readyState !== WebSocket.OPEN || opened.muted) return;
  const message = new Uint8Array(frame.length + 1);
  message[0] = OPERATOR;
  message.set(frame, 1);
  opened.socket.send(message);
}

function tell(opened, { type, frames }) {
  if (opened.lost) opened.lost.textContent = `${frames} pieces ${type === "missed" ? "of audio did not reach you" : "of your voice were dropped"}.`;
}

function show_line(opened) {
  const ear = (track, text) => {
    const box = el("input", { type: "checkbox", checked: true, onchange: () => opened.player.hear(track, box.checked) });
    opened.meters ??= [];
    opened.meters[track] = el("meter", { min: 0, max: 0.4, value: 0, "aria-label": `Level of the ${text.toLowerCase()}` });
    return el("label", {}, box, ` ${text} `, opened.meters[track]);
  };
  const own = opened.kind === "take-over";
  opened.lost = el("span", { class: "hint" });
  const mute = own ? el("button", { type: "button", "aria-pressed": "false", onclick: () => { opened.muted = !opened.muted; mute.setAttribute("aria-pressed", String(opened.muted)); } }, "Mute my microphone") : null;
  $("panel").replaceChildren(el("div", { class: "panel", role: "group", "aria-label": own ? "You speak with the caller" : "Listening" },
    el("b", {}, own ? "You speak with the caller; the agent is silent." : "Listening. Nobody hears you."),
    ear(CALLER, "Caller"), ear(AGENT, own ? "To the caller" : "Agent"), mute,
    el("button", { type: "button", class: own ? "primary" : null, onclick: hang_line }, own ? "Hand back to the agent" : "Stop listening"), opened.lost));
}

function show_levels(opened, levels) {
  levels.forEach((level, track) => { if (opened.meters?.[track]) opened.meters[track].value = level; });
}

/** Leaves the line, which hands the call back. */
function hang_line() {
  const left = line;
  if (!left) return;
  line = null;
  shut(left);
  $("panel").replaceChildren();
  offer(call);
}

function end(opened) {
  if (line === opened) { hang_line(); say(opened.kind === "listen" ? "Listening is over." : "The call is no longer yours."); }
}

function shut({ socket, player, microphone }) {
  if (!line) delete document.body.dataset.line;
  socket?.close();
  microphone?.close();
  player?.close();
}

async function hang_up() {
  if (await sure({ title: "Hang up?", text: `The call with ${other_party(call)} ends at once.`, action: "Hang up" })) {
    await attempt(() => post("end"), "The carrier was asked to end the call.");
  }
}

async function do_not_call() {
  const agreed = await sure({ title: `Never call ${other_party(call)} again?`, text: "The number goes on the do-not-call list and every permission for it ends, before the next dial. This call goes on.", action: "Mark do-not-call" });
  if (agreed) await attempt(() => ask(`/console/actions/calls/${call.id}/do-not-call`, { method: "POST" }), "The number is on the do-not-call list.");
}
