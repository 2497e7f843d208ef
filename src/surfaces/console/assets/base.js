// What every page shares: talking to the server, building elements (never markup from texts), time, dialogs, keys, the header.

const body = document.body.dataset;
const scopes = new Set((body.scopes || "").split(" "));

/** Whether the signed-in role has this scope. The server decides; this only hides what it would refuse. */
export const can = (scope) => scopes.has(scope);

/** An element. `props` are attributes; `on…` are listeners; children are elements or texts. */
export function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  set(made, props);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function svg(tag, props = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, props);
  made.append(...children.flat());
  return made;
}

function set(made, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
}

export const $ = (id) => document.getElementById(id);

/** JSON from the server. Throws an Error whose message says what to do. */
export async function ask(path, { method = "GET", body: sent } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = body.csrf;
  if (sent !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: sent === undefined ? undefined : JSON.stringify(sent) });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (response.status === 401) return sign_in_again();
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // A proxy's page, say: the status tells enough.
  }
  if (!response.ok) {
    const error = new Error(answer?.detail || `The server answered ${response.status}.`);
    error.answer = answer;
    throw error;
  }
  return answer;
}

export function sign_in_again() {
  location.assign(`/console/sign-in?${new URLSearchParams({ next: location.pathname + location.search })}`);
  return new Promise(() => {});
}

// Time. The server's clock counts: the demo's is not the browser's.
let ahead_ms = 0;
export const set_clock = (now) => { ahead_ms = Date.parse(now) - Date.now(); };
export const now_ms = () => Date.now() + ahead_ms;

const clock_format = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day_format = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const date_format = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
export const clock = (at) => clock_format.format(new Date(at));
export const day = (at) => day_format.format(new Date(at));
/** Of which day or time something is known: a day of a list is written as its midnight in UTC, and is the same day everywhere. */
export const as_of = (at) => (at.endsWith("T00:00:00Z") ? date_format.format(new Date(at)) : day(at));
/** In the zone of the called party. */
export function in_zone(at, zone) {
  const format = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  return new Intl.DateTimeFormat(undefined, { ...format, timeZone: zone }).format(new Date(at));
}
export function length(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const minutes = `${Math.floor(s / 60) % 60}`.padStart(s >= 3600 ? 2 : 1, "0");
  return `${s >= 3600 ? `${Math.floor(s / 3600)}:` : ""}${minutes}:${`${s % 60}`.padStart(2, "0")}`;
}
export const millis = (ms) => (ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.max(0, Math.round(ms))} ms`);
export const micros = (us) => (us >= 1000 ? `${(us / 1000).toFixed(us >= 10000 ? 0 : 1)} ms` : `${us} µs`);

export const STATES = { queued: "Queued", dialing: "Dialling", ringing: "Ringing", in_progress: "In progress", ended: "Ended" };
export const DISPOSITIONS = {
  completed: ["Completed", "good"], busy: ["Busy", "warn"], no_answer: ["No answer", "warn"], failed: ["Failed", "bad"],
  canceled: ["Canceled", ""], blocked: ["Blocked", "bad"], machine: ["Machine", "warn"], opted_out: ["Opted out", "warn"],
  agent_failed: ["Agent failed", "bad"], transferred: ["Transferred", "good"], rejected: ["Rejected", "warn"], expired: ["Expired", "warn"],
};
const STATE_KINDS = { queued: "", dialing: "info", ringing: "info", in_progress: "good" };

/** A call's state as a word with a colour. A live one tells what it is about to become, where that is known. */
export function state_chip(call) {
  const [text, kind] = state_of(call);
  return el("span", { class: `chip ${kind}` }, text);
}
function state_of(call) {
  if (call.state === "ended") return DISPOSITIONS[call.disposition] || ["Ended", ""];
  if (call.transfer) return call.transfer.is_connected ? ["With another", "info"] : ["Transferring", "info"];
  if (call.ending_as) return [`Ending: ${DISPOSITIONS[call.ending_as]?.[0] ?? call.ending_as}`, "warn"];
  if (call.operator) return ["Taken over", "warn"];
  return [STATES[call.state], STATE_KINDS[call.state]];
}
export const other_party = (call) => (call.direction === "outbound" ? call.to : call.from);
export const agent_name = (call) => (call.agent || "").replace(/^elevenlabs:/, "");
export const readable = (code) => code.toLowerCase().replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());

/** A passing word to the operator, read out by screen readers. */
export function say(text, kind = "") {
  const note = el("p", { class: kind }, text);
  $("said").append(note);
  setTimeout(() => note.remove(), 6000);
}

/** Runs an action and tells how it went. */
export async function attempt(action, done) {
  try {
    const answer = await action();
    if (done) say(done);
    return answer;
  } catch (error) {
    say(error.message, "bad");
    return undefined;
  }
}

/** Asks before something that cannot be taken back. Gives false, or true; with `reason`, the reason that was typed. */
export function sure({ title, text, action, large = false, reason = null }) {
  return new Promise((resolve) => {
    const why = reason && el("input", { type: "text", name: "reason", required: true, maxlength: 1000, autocomplete: "off", autofocus: true });
    const form = el("form", { method: "dialog" }, why ? el("label", { class: "field" }, reason, why) : null,
      el("div", { class: "ends" },
        el("button", { type: "button", autofocus: !why, onclick: () => dialog.close("") }, "Cancel"),
        el("button", { type: "submit", value: "yes", class: `danger ${large ? "large" : ""}` }, action)));
    const dialog = el("dialog", { "aria-labelledby": "sure-title" }, el("h2", { id: "sure-title" }, title), el("p", {}, text), form);
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" && (why ? why.value.trim() : true));
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Keys. Pages add their own; single letters only count outside of fields and dialogs.
const keys = new Map();
export const on_key = (key, what, act) => keys.set(key, { what, act });
const keys_are_on = () => localStorage.getItem("keys") !== "off";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Escape") $("menu").open = false;
  if (!keys_are_on()) return;
  const found = keys.get(event.key);
  if (found) { event.preventDefault(); found.act(); }
});

function show_keys() {
  const rows = [...keys].map(([key, { what }]) => el("tr", {}, el("td", {}, el("kbd", {}, key)), el("td", {}, what)));
  const single = el("input", { type: "checkbox", id: "single-keys" });
  single.checked = keys_are_on();
  single.addEventListener("change", () => localStorage.setItem("keys", single.checked ? "on" : "off"));
  const dialog = el("dialog", { "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keyboard shortcuts"), el("table", {}, rows),
    el("p", {}, el("label", {}, single, " Single-key shortcuts")),
    el("div", { class: "ends" }, el("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// The header.
export async function stop_all() {
  if (!can("calls:control")) return;
  const reason = await sure({
    title: "Stop all outbound calls?",
    text: "No outbound call is placed from now on, whoever asks, also after a restart, until somebody releases it. Calls that are on go on.",
    reason: "Why? Whoever reads it later will know", action: "Stop all outbound calls", large: true,
  });
  if (reason) await attempt(() => ask("/api/v1/outbound/stop", { method: "POST", body: { reason } }), "All outbound calls are stopped.");
  await look_at_stop();
}

async function release() {
  const reason = await sure({ title: "Release outbound calls?", text: "The gate decides on each call again.", reason: "Why is it over?", action: "Release outbound calls" });
  if (reason) await attempt(() => ask("/api/v1/outbound/release", { method: "POST", body: { reason } }), "Outbound calls are released.");
  await look_at_stop();
}

export function show_stop(stop) {
  const banner = $("stopped");
  const key = stop ? JSON.stringify(stop) : "";
  if (banner.dataset.shown === key) return;
  banner.dataset.shown = key;
  banner.hidden = !stop;
  $("stop-all").hidden = Boolean(stop) || !can("calls:control");
  banner.replaceChildren();
  if (!stop) return;
  banner.append(el("span", {}, `All outbound calls are stopped since ${day(stop.since)} by ${stop.by.name}${stop.reason ? `: ${stop.reason}` : "."}`));
  if (can("calls:control")) banner.append(el("button", { type: "button", onclick: release }, "Release …"));
}

async function look_at_stop() {
  try {
    const status = await ask("/console/data/status");
    set_clock(status.now);
    show_stop(status.stop);
  } catch {
    // The next look will tell; pages with a feed show a lost connection themselves.
  }
}

function set_theme(theme) {
  document.documentElement.dataset.theme = theme;
  document.cookie = `clearline_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax`;
  for (const radio of document.querySelectorAll("[name=theme]")) radio.checked = radio.value === theme;
}

/** The server masks numbers unless this cookie says otherwise. It is gone when the browser closes. */
async function show_numbers(full) {
  if (document.body.dataset.line && !(await sure({ title: "Load the page again?", text: "Your line to the call closes with it; a call that you took over goes back to the agent.", action: "Load again" }))) {
    $("full-numbers").checked = !full;
    return;
  }
  document.cookie = `clearline_numbers=${full ? "full" : ""}; Path=/; SameSite=Strict${full ? "" : "; Max-Age=0"}`;
  location.reload();
}

async function sign_out() {
  await attempt(() => ask("/console/sign-out", { method: "POST" }));
  location.assign("/console/sign-in");
}

for (const hidden of document.querySelectorAll("[data-scope]")) hidden.hidden = !can(hidden.dataset.scope);
for (const link of document.querySelectorAll(".top nav a")) {
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  if (!link.hidden) on_key(link.dataset.key, link.textContent, () => location.assign(link.href));
}
on_key("/", "Search", () => document.querySelector("input[type=search], [data-search]")?.focus());
on_key("t", "Light or dark", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  set_theme(dark ? "light" : "dark");
});
if (can("calls:control")) on_key("S", "Stop all outbound calls …", stop_all);
on_key("?", "This list", show_keys);
set_theme(document.documentElement.dataset.theme);
for (const radio of document.querySelectorAll("[name=theme]")) radio.addEventListener("change", () => set_theme(radio.value));
$("full-numbers").checked = document.cookie.split("; ").includes("clearline_numbers=full");
$("full-numbers").addEventListener("change", (event) => show_numbers(event.target.checked));
$("stop-all").addEventListener("click", stop_all);
$("sign-out").addEventListener("click", sign_out);
$("show-keys").addEventListener("click", show_keys);
document.addEventListener("click", (event) => { if (!event.target.closest("#menu")) $("menu").open = false; });
look_at_stop();
setInterval(look_at_stop, 10_000);
if ($("clock")) setInterval(() => { $("clock").textContent = `demo clock ${day(now_ms())}`; }, 1000);
