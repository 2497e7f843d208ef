// What was said, by whom, and what of it was heard.

import { clock, el } from "./base.js";

export class Conversation {
  constructor(list, interim) {
    this.list = list;
    this.interim_line = interim;
    // Told by scrolling, since asking with each line would lay the page out with each line.
    this.at_end = true;
    addEventListener("scroll", () => { this.at_end = innerHeight + scrollY > document.body.scrollHeight - 120; }, { passive: true });
    this.clear();
  }

  clear() {
    this.turns = new Map();
    this.spoken = [];
    this.newest = null;
    this.list.replaceChildren();
    this.interim("");
  }

  is_empty() {
    return this.spoken.length === 0;
  }

  add({ at, event }) {
    switch (event.type) {
      case "caller_saying": this.interim(event.text); break;
      case "caller_said": this.interim(""); this.line(at, "caller", event.text); break;
      case "agent_said": this.said(at, event); break;
      case "barge_in": this.interrupted(at, event); break;
      case "dtmf_received": this.aside(at, "caller", `pressed ${event.digit}`); break;
      case "tool_called": this.aside(at, "agent", `calls ${event.name} ${JSON.stringify(event.arguments)}`); break;
      case "tool_answered": this.aside(at, "agent", `${event.name} ${event.is_error ? "failed" : "answered"} after ${event.elapsed_ms} ms`); break;
      case "house_spoke": this.line(at, "house", event.text); break;
      case "agent_messaged": this.aside(at, event.by.name, `${event.kind === "context" ? "whispers" : "for the caller"}: ${event.text}`); break;
      case "taken_over": this.aside(at, event.by.name, "speaks with the caller"); break;
      case "handed_back": this.aside(at, event.by.name, "hands back to the agent"); break;
      case "turn_withheld": this.withheld(event); break;
      case "opted_out": this.aside(at, "", `Do-not-call request (${event.channel})`); break;
      default: break;
    }
  }

  /** Keeps the newest line in view for whoever reads along; once for all lines that came together. */
  keep_up() {
    if (this.newest && this.at_end && this.list.childElementCount > 8) this.newest.scrollIntoView({ block: "nearest" });
    this.newest = null;
  }

  interim(text) {
    this.interim_line.hidden = !text;
    this.interim_line.textContent = text;
  }

  line(at, who, text, kind = "") {
    const stamp = el("span", { class: "at" }, clock(at));
    const words = el("span", { class: kind }, text);
    const item = el("li", {}, stamp, el("span", { class: `by ${who}` }, who), words);
    this.list.append(item);
    this.newest = item;
    if (!kind) this.spoken.push({ at: Date.parse(at), item, stamp });
    return words;
  }

  aside(at, who, text) {
    this.line(at, who, text, "aside");
  }

  said(at, { turn, text }) {
    const words = this.line(at, "agent", text);
    const parts = this.turns.get(turn) ?? [];
    parts.push({ words, text });
    this.turns.set(turn, parts);
  }

  /** What the caller talked over: the heard part stands, the rest is struck. */
  interrupted(at, { turn, heard, heard_ms: heard_for, sent_ms: sent }) {
    const note = el("span", { class: "barge" }, `⤷ the caller talked over it: ${(heard_for / 1000).toFixed(1)} of ${(sent / 1000).toFixed(1)} s were heard`);
    const parts = this.turns.get(turn);
    if (!parts) return this.aside(at, "caller", "talked over the agent");
    let left = heard;
    for (const { words, text } of parts) {
      const [played, lost] = left.startsWith(text) ? [text, ""] : text.startsWith(left) ? [left, text.slice(left.length)] : [left, ""];
      left = left.slice(played.length).trimStart();
      words.replaceChildren(played, lost ? el("del", { title: "not heard" }, lost) : "");
    }
    parts.at(-1).words.append(note);
    return undefined;
  }

  /** The agent was muted, on hold or taken over: the caller heard a part at most. */
  withheld({ turn, heard }) {
    for (const { words, text } of this.turns.get(turn) ?? []) {
      const played = text.startsWith(heard) ? heard : "";
      words.replaceChildren(played, el("del", { title: "not heard" }, text.slice(played.length)), el("span", { class: "barge" }, "⤷ kept from the caller"));
    }
  }

  /** Marks the line that is being played, and jumps to a line that is clicked. */
  play_along(audio, from) {
    for (const { at, stamp, item } of this.spoken) {
      const jump = el("button", { type: "button", class: "at", title: "Play from here", onclick: () => { audio.currentTime = Math.max(0, (at - from) / 1000 - 1); audio.play(); } }, stamp.textContent);
      item.replaceChild(jump, item.firstChild);
    }
    audio.addEventListener("timeupdate", () => {
      const now = from + audio.currentTime * 1000;
      const playing = this.spoken.findLast(({ at }) => at <= now + 500)?.item;
      for (const { item } of this.spoken) item.classList.toggle("now", item === playing);
    });
  }
}
