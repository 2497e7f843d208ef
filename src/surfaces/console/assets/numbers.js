// All that is known of a number, and whether it may be called now.

import { $, as_of, ask, attempt, can, day, el, readable, state_chip, sure, length } from "./base.js";
import { pairs, verdict, whole } from "./decision.js";

async function look(event) {
  event?.preventDefault();
  const number = dialable($("number").value);
  const known = await attempt(() => ask("/console/data/numbers", { method: "POST", body: { number } }));
  if (!known) return;
  const parts = [];
  const answer = await attempt(() => ask("/api/v1/check", { method: "POST", body: { number, purpose: $("purpose").value } }));
  if (answer) {
    const detail = await attempt(() => ask(`/console/data/decisions/${answer.decision_id}`));
    if (detail) parts.push(section(`Could we call ${known.number} now?`, whole(detail)), section("Lists of others", others(detail)));
  }
  parts.push(section("Our do-not-call list", lists(known, number)));
  parts.push(section("Permissions", known.consents.length ? known.consents.map(consent) : [el("p", {}, "None is on record.")]));
  parts.push(section("Calls", known.calls.length ? [table(known.calls)] : [el("p", {}, "There was none.")]));
  parts.push(section("Decisions", known.decisions.length ? [history(known.decisions)] : [el("p", {}, "There was none.")]));
  $("found").replaceChildren(...parts);
}

/** `(212) 555-0113` as +12125550113; what is no such number goes as it is, and is refused with the reason. */
function dialable(text) {
  const digits = text.replace(/[\s().-]/g, "");
  if (/^\d{10}$/.test(digits)) return `+1${digits}`;
  return /^1\d{10}$/.test(digits) ? `+${digits}` : digits;
}

const section = (title, content) => el("section", {}, el("h2", {}, title), ...content);

/** What the lists and registers that the gate consulted say of the number, and of which day they are. */
function others({ facts = {}, inputs = [] }) {
  const listed = (value) => (value === true ? "listed" : value === false ? "not listed" : "not known");
  const moved = { yes: "changed hands", no: "still theirs", no_data: "no data" };
  const said = [
    ["national_dnc", "National do-not-call registry", listed(facts.national_dnc)], ["state_dnc", "State do-not-call list", listed(facts.state_dnc)],
    ["litigator", "Litigators", listed(facts.litigator)], ["reassigned", "Reassigned numbers", moved[facts.reassigned] ?? "not known"],
  ];
  const from = (fact) => inputs.filter((one) => one.fact === fact).map((one) => ` (${one.source}, as of ${as_of(one.as_of)})`).join("");
  return [el("dl", { class: "pairs" }, said.flatMap(([fact, name, text]) => [el("dt", {}, name), el("dd", {}, `${text}${from(fact)}`)]))];
}

function lists(known, number) {
  const parts = [el("p", {}, known.on_internal_dnc ? el("span", { class: "chip bad" }, "Listed") : el("span", { class: "chip good" }, "Not listed"))];
  for (const entry of known.dnc) {
    const gone = entry.removed_at ? `, removed ${day(entry.removed_at)} (${entry.removed_reason})` : "";
    parts.push(el("p", {}, `Since ${day(entry.added_at)} by ${entry.added_by.name}, through ${readable(entry.channel)}${entry.words ? `: “${entry.words}”` : ""}${gone}`));
  }
  for (const { at, channel } of known.revocations) parts.push(el("p", { class: "hint" }, `Permission withdrawn ${day(at)}, through ${readable(channel)}`));
  if (!known.on_internal_dnc && can("compliance:write")) {
    parts.push(el("button", { type: "button", class: "danger quiet", onclick: () => list(number, known.number) }, "Put on the do-not-call list …"));
  }
  return parts;
}

async function list(number, shown) {
  const agreed = await sure({ title: `Never call ${shown} again?`, text: "The number goes on the do-not-call list and every permission for it ends. It binds before the next dial.", action: "Put on the list" });
  if (!agreed) return;
  await attempt(() => ask("/api/v1/dnc", { method: "POST", body: { number, note: "marked by an operator" } }), `${shown} is on the do-not-call list.`);
  await look();
}

function consent(one) {
  return pairs(`${readable(one.kind)} consent of ${day(one.given_at)} for ${one.scope.join(", ")}`, [
    ["Seller", one.seller], ["Given", day(one.given_at)], ["Expires", one.expires_at ? day(one.expires_at) : "never"],
    ["How", one.method], ["Words", one.text], ["Where", one.url], ["Record", one.id],
  ], true);
}

function table(calls) {
  const rows = calls.map((call) => el("tr", {}, el("td", {}, el("a", { href: `/console/calls/${call.id}` }, day(call.created_at))),
    el("td", {}, call.direction), el("td", {}, state_chip(call)), el("td", {}, call.duration_s === null ? "–" : length(call.duration_s))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Calls" }, el("table", { class: "list" },
    el("thead", {}, el("tr", {}, ...["When", "Direction", "Outcome", "Duration"].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, rows)));
}

function history(decisions) {
  return el("ul", { class: "lines history" }, decisions.map((decision) => el("li", {}, el("span", { class: "at" }, day(decision.recorded_at)), verdict(decision),
    el("span", {}, `${decision.purpose}, ${decision.intent}${decision.reasons?.length ? `: ${decision.reasons.map((reason) => reason.code).join(", ")}` : ""}`))));
}

$("look-up").addEventListener("submit", look);
