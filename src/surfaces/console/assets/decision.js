// A decision of the gate for a person: the answer, every reason with its law, when it may be tried again, what it rests on.

import { as_of, clock, day, el, in_zone, readable } from "./base.js";

export function verdict(decision) {
  const allowed = decision.decision === "allow";
  return el("span", { class: `chip ${allowed ? "good" : "bad"}` }, allowed ? "Allowed" : "Refused");
}

/** The reasons, and when waiting helps. */
export function reasons(decision) {
  if (decision.decision === "allow") {
    return [el("p", {}, `Under ${decision.basis || decision.reason_code}.`)];
  }
  const list = decision.reasons.map((reason) => el("li", {},
    el("code", {}, reason.code), " ", local(reason.message),
    el("div", { class: "law" }, reason.citation)));
  return [el("ol", { class: "reasons" }, list), next(decision)];
}

/** Instants in a sentence of the gate's, in the operator's own time. */
const local = (text) => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (at) => day(at));

function next(decision) {
  if (!decision.next_permissible_at) {
    return el("p", { class: "next" }, "Waiting does not help: what stands against this call is not about the time.");
  }
  const zone = decision.places?.[0]?.zone;
  const there = zone ? ` (there: ${in_zone(decision.next_permissible_at, zone)})` : "";
  return el("p", { class: "next" }, `May be tried again from ${day(decision.next_permissible_at)}${there}.`);
}

/** Everything, as the page of a call shows it. `detail` is the decision with its rules and facts. */
export function whole(detail) {
  return [el("p", { class: "verdict" }, verdict(detail), ` at ${clock(detail.decided_at)}, asked by ${detail.actor?.name ?? "?"}`), ...reasons(detail), ...basis(detail)];
}

/** What it rests on: rules, inputs, its place in the ledger. */
export function basis(detail) {
  const parts = [];
  for (const warning of detail.warnings || []) parts.push(el("p", { class: "hint" }, `Note: ${local(warning)}`));
  if (detail.places?.length) {
    parts.push(pairs("Local time there", detail.places.map((place) => [place.state, `${place.local_time.slice(11, 16)} (${place.zone})`]), true));
  }
  if (detail.rules) parts.push(rules(detail.rules));
  if (detail.inputs?.length) {
    parts.push(pairs("Where it came from", detail.inputs.map((one) => [readable(one.fact), `${plain(one.says)} (${one.source}${one.as_of ? `, as of ${as_of(one.as_of)}` : ""})`])));
  }
  if (detail.facts) parts.push(pairs("What the gate was told", facts(detail.facts)));
  parts.push(pairs("In the ledger", [
    ["Decision", detail.decision_id], ["Place", detail.seq], ["Hash", detail.hash], ["Rules", detail.rule_set],
    ["Profile", detail.profile], ["Time zones", detail.tzdb], ["Consent relied on", detail.consent_id],
  ]));
  return parts;
}

function rules(asked) {
  const denied = asked.filter((one) => one.denies_with?.length > 0).length;
  const list = asked.map(({ rule, law, denies_with: codes = [] }) => el("li", { class: codes.length ? "bad" : "good" },
    codes.length ? "✗ " : "✓ ", readable(rule), codes.length ? ` (${codes.join(", ")})` : "", law ? el("span", { class: "law" }, ` ${law}`) : ""));
  return el("details", { class: "more" },
    el("summary", {}, `${asked.length} rules were asked, ${denied} ${denied === 1 ? "refuses" : "refuse"}`), el("ul", { class: "rules" }, list));
}

// What is not there is no gap in what was known.
const NONE_IF_ABSENT = ["internal_dnc_at", "revoked_at"];

function facts(told) {
  return Object.entries(told).map(([name, value]) => [readable(name), value === null && NONE_IF_ABSENT.includes(name) ? "none" : plain(value)]);
}

function plain(value) {
  if (value === null) return "not known";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.length ? value.map(plain).join("; ") : "none";
  if (typeof value === "object") return Object.entries(value).filter(([, one]) => one !== null && one !== "").map(([name, one]) => `${readable(name)}: ${plain(one)}`).join(", ");
  return String(value);
}

export function pairs(title, list, open = false) {
  const rows = list.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]);
  return el("details", { class: "more", open }, el("summary", {}, title), el("dl", { class: "pairs" }, rows));
}
