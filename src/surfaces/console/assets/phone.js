// A phone in the browser, on the emulated carrier: call an agent, or be the one who is called, with this computer's microphone.

import { $, attempt, ask, can, el, length, on_key, say } from "./base.js";
import { reasons } from "./decision.js";
import { Microphone, open_socket, Player } from "./audio.js";

const url = document.body.dataset.phone;
const HEARD = 1;
let socket = null;
let player = null;
let microphone = null;
let state = "off";
let since = 0;

const WORDS = { off: "Switched off", on: "Ready. Calls to this number ring here.", ringing: "Ringing …", calling: "Calling …", talking: "Connected" };

async function switch_on() {
  if (state !== "off") return switch_off();
  const number = $("own").value.trim();
  try {
    player = await Player.open(([, heard]) => { $("level").value = heard; });
    microphone = await Microphone.open((frame) => { if (state === "talking" && socket?.readyState === WebSocket.OPEN) socket.send(frame); });
    socket = await open_socket(`${url}?${new URLSearchParams({ number })}`, { message, ended: () => { if (socket) { say("The phone lost its line.", "bad"); switch_off(); } } });
  } catch (error) {
    say(error.message, "bad");
    return switch_off();
  }
  return become("on");
}

function switch_off() {
  const left = socket;
  socket = null;
  left?.close();
  microphone?.close();
  player?.close();
  microphone = player = null;
  become("off");
}

function message(bytes, told) {
  if (bytes) {
    player?.play(HEARD, bytes, 8000);
    $("phone").dataset.frames = Number($("phone").dataset.frames ?? 0) + 1;
    return;
  }
  if (told.event === "ringing") { $("from").textContent = told.from; become("ringing"); }
  if (told.event === "connected") { since = Date.now(); become("talking"); }
  if (told.event === "ended") { player?.clear(HEARD); become("on"); }
  if (told.event === "refused") { say(told.reason, "bad"); become("on"); }
}

function become(now) {
  state = now;
  $("said-state").textContent = WORDS[now];
  $("switch").textContent = now === "off" ? "Switch on" : "Switch off";
  $("own").disabled = now !== "off";
  $("answer").hidden = $("decline").hidden = now !== "ringing";
  $("call-form").hidden = now !== "on";
  $("agent-form").hidden = now !== "on" || !can("calls:write");
  $("may-not-place").hidden = now !== "on" || can("calls:write");
  $("hang-up").hidden = !["talking", "calling"].includes(now);
  $("in-call").hidden = !["ringing", "talking", "calling"].includes(now);
  $("level").hidden = now !== "talking";
  if (now === "calling" || now === "off") $("asked").replaceChildren();
  $("pad").hidden = now !== "talking";
  if (now !== "ringing") $("from").textContent = "";
  $("phone").dataset.state = now;
  if (["ringing", "calling", "talking"].includes(now)) document.body.dataset.line = "phone";
  else delete document.body.dataset.line;
}

/** Only a message has words: a field that is not asked for must not hold the form back. */
function choose_plan() {
  $("machine-text").hidden = $("machine-text").disabled = $("on-machine").value !== "message";
}

const tell = (event, more = {}) => socket?.send(JSON.stringify({ event, ...more }));

/** Has the server call this phone, through the gate like every call. */
async function call_me() {
  const body = { to: $("own").value.trim() };
  if ($("agent").value) body.agent = $("agent").value;
  const plan = $("on-machine").value;
  if (plan) body.on_machine = plan === "message" ? { do: plan, text: $("machine-text").value.trim() } : { do: plan };
  $("asked").replaceChildren();
  try {
    const { call_id: id } = await ask("/api/v1/calls", { method: "POST", body });
    $("asked").replaceChildren(el("p", {}, "The gate allowed the call. ", page_of(id)));
  } catch (error) {
    await show_refusal(error);
  }
}

// In a tab of its own, since leaving this page hangs up.
const page_of = (id) => el("a", { href: `/console/calls/${id}`, target: "_blank", rel: "noopener" }, "Its page, in a new tab");

/** Why there was no call: the gate's reasons, where it was the gate. */
async function show_refusal(error) {
  const { call_id: id, error: blocked } = error.answer ?? {};
  if (blocked?.code !== "compliance_blocked") return say(error.message, "bad");
  const decision = await attempt(() => ask(`/console/data/decisions/${blocked.details.decision_id}`));
  return $("asked").replaceChildren(el("p", {}, el("b", {}, "The gate refused the call. "), page_of(id)), ...(decision ? reasons(decision) : []));
}

$("switch").addEventListener("click", switch_on);
$("answer").addEventListener("click", () => tell("answer"));
$("decline").addEventListener("click", () => tell("decline"));
$("hang-up").addEventListener("click", () => tell("hang_up"));
$("agent-form").addEventListener("submit", (event) => { event.preventDefault(); call_me(); });
$("on-machine").addEventListener("change", choose_plan);
$("call-form").addEventListener("submit", (event) => { event.preventDefault(); tell("call", { to: $("to").value.trim() }); become("calling"); });
$("pad").append(...[..."123456789*0#"].map((digit) => el("button", { type: "button", "aria-label": `Key ${digit}`, onclick: () => tell("digit", { digit }) }, digit)));
on_key("Enter", "Answer the browser's phone", () => { if (state === "ringing") tell("answer"); });
choose_plan();
setInterval(() => { if (state === "talking") $("said-state").textContent = `${WORDS.talking}, ${length((Date.now() - since) / 1000)}`; }, 1000);
become("off");
