// What the gate refused and allowed, by rule, with the next permissible times.

import { $, ask, attempt, day, el, readable, set_clock } from "./base.js";
import { basis, reasons, verdict } from "./decision.js";

// A page that is open all day looks again.
const AGAIN_MS = 30_000;

let loaded = [];
let cursor = null;
let is_long = false;
let turn = 0;

/** Nobody reads further down, or in a decision. */
const is_at_rest = () => !is_long && !document.hidden && !document.querySelector("#rows details[open]");

async function load(again, fits = () => true) {
  const query = new URLSearchParams({ hours: $("hours").value });
  for (const name of ["answer", "reason"]) if ($(name).value) query.set(name, $(name).value);
  if (!again && cursor) query.set("cursor", cursor);
  turn += 1;
  const mine = turn;
  const page = await attempt(() => ask(`/console/data/decisions?${query}`));
  // Of two that cross the later one counts.
  if (!page || mine !== turn || !fits()) return;
  is_long = !again;
  set_clock(page.now);
  loaded = again ? page.decisions : loaded.concat(page.decisions);
  cursor = page.next_cursor;
  if (page.counts) count(page.counts);
  draw();
}

function count({ allowed, denied, inquiries, by_reason: by, complete }) {
  const more = complete ? "" : "+";
  const total = (number, text) => el("div", { class: "total" }, el("b", {}, `${number}${more}`), el("span", {}, text));
  $("counts").replaceChildren(total(denied, "calls refused"), total(allowed, "calls allowed"), total(inquiries, "inquiries"),
    ...by.map(({ code, count: number }) => el("button", { type: "button", "data-code": code, "aria-pressed": "false", onclick: () => choose(code) },
      el("b", {}, `${number}${more}`), el("span", {}, readable(code)))));
  const chosen = $("reason").value;
  // What is chosen stays chosen, also where it did not occur.
  const codes = new Set([...by.map(({ code }) => code), ...(chosen ? [chosen] : [])]);
  $("reason").replaceChildren(el("option", { value: "" }, "Any reason"), ...[...codes].map((code) => el("option", { value: code }, readable(code))));
  $("reason").value = chosen;
}

function choose(code) {
  $("reason").value = $("reason").value === code ? "" : code;
  load(true);
}

function draw() {
  const reason = $("reason").value;
  for (const button of document.querySelectorAll("[data-code]")) button.setAttribute("aria-pressed", String(button.dataset.code === reason));
  $("rows").replaceChildren(...loaded.map(item));
  $("none").hidden = loaded.length > 0 || Boolean(cursor);
  $("more").hidden = !cursor;
}

function item(decision) {
  const more = el("details", { class: "more", ontoggle: () => open(more, decision.decision_id) }, el("summary", {}, "Every rule and input"));
  return el("li", {},
    el("div", { class: "line" }, verdict(decision), el("b", {}, decision.number ?? "number erased"), el("span", {}, decision.purpose),
      decision.intent === "inquiry" ? el("span", { class: "chip" }, "Inquiry") : null, el("span", { class: "who-asked" }, `${day(decision.recorded_at)} · ${decision.actor.name} (${decision.actor.door})`)),
    ...reasons(decision), more);
}

async function open(details, id) {
  if (!details.open || details.dataset.filled) return;
  details.dataset.filled = "yes";
  const detail = await attempt(() => ask(`/console/data/decisions/${id}`));
  if (detail) details.append(...basis(detail));
}

for (const id of ["hours", "answer", "reason"]) $(id).addEventListener("change", () => load(true));
setInterval(() => { if (is_at_rest()) load(true, is_at_rest); }, AGAIN_MS);
$("more").addEventListener("click", () => load(false));
load(true);
