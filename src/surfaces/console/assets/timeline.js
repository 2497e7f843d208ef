// Events in words, and how they weigh. Nothing for what the conversation shows already.

import { DISPOSITIONS, micros, millis } from "./base.js";
import { part_words, parts } from "./time_split.js";

const STREAM_ENDS = {
  carrier_stop: "the carrier ended it", carrier_closed: "the carrier's socket closed", carrier_fault: "the carrier stopped reading",
  agent_ended: "the agent said goodbye", agent_failed: "the agent was lost", silence: "no audio came", max_duration: "the longest duration was reached",
  hung_up: "it was hung up", journal_full: "it could not be recorded any more",
};

const CARRIER_STATUSES = {
  queued: "Waits at the carrier", initiated: "The carrier dials", ringing: "The phone rings", "in-progress": "Answered", completed: "Over at the carrier",
  busy: "The line is busy", "no-answer": "Nobody answered", failed: "The carrier could not put it through", canceled: "Withdrawn at the carrier",
};
const RECORDING_STATUSES = { "in-progress": "The carrier records", completed: "Recording stored", absent: "There is no recording" };

/**
 * The events of one call as lines of [text, kind, turn]; null for what has none. It knows what came before. A line of the same turn
 * takes the place of the one before: the text tells that an answer is there, the audio when it was heard.
 */
export class Timeline {
  opened = null;
  asked = null;
  first = null;
  stream = 0;
  timed = new Set();
  told = new Set();

  tell({ at, event }) {
    // Each stream counts its turns anew.
    if (event.type === "stream_started") { this.stream += 1; this.opened ??= Date.parse(at); }
    if (event.type === "caller_said") this.asked = Date.parse(at);
    if (event.type === "agent_said") return this.said(at, `${this.stream}/${event.turn}`);
    return event.type === "turn_timed" ? this.heard(at, event, `${this.stream}/${event.turn}`) : describe(event);
  }

  /** The text of a turn: the first one, or how long after the caller's it came. */
  said(at, turn) {
    const [now, asked] = [Date.parse(at), this.asked];
    if (this.told.has(turn)) return null;
    this.told.add(turn);
    this.first ??= turn;
    this.asked = null;
    if (this.timed.has(turn)) return null;
    if (this.first === turn) return [`First words of the agent, as text${this.after_opening(now)}`, "good", turn];
    return [asked === null ? "The agent speaks" : `The agent answers after ${millis(now - asked)}, by its text`, "", turn];
  }

  /** The audio of a turn, as far as it was heard. */
  heard(at, event, turn) {
    this.timed.add(turn);
    this.first ??= turn;
    const { agent_ms: agent, played_ms: played, audio_ms: audio } = event;
    if (this.first === turn && played !== undefined) {
      return [`First audio of the agent heard${this.after_opening(Date.parse(at) - Math.min(audio, played))}`, "good", turn];
    }
    if (this.first === turn && this.told.has(turn)) return null;
    if (agent === undefined) return ["The agent speaks", "", turn];
    const list = parts(event);
    const whole = list.reduce((all, [, ms]) => all + ms, 0);
    return [`The agent answers after ${millis(whole)}: ${list.map(part_words).join(", ")}`, "", turn];
  }

  after_opening(now) {
    return this.opened === null ? "" : `, ${millis(now - this.opened)} after the audio connected`;
  }
}

function recording_step({ by, step, announced }) {
  const done = { start: "started", pause: "paused", resume: "resumed", stop: "stopped" }[step];
  return `Recording ${done} by ${by.name}${step === "start" ? (announced ? ", its notice was heard" : ", without a notice") : ""}`;
}

function describe(event) {
  switch (event.type) {
    case "created": return [`${event.direction === "inbound" ? "Call came in, told by the webhook" : "Call was asked for"} (${event.requested_by.name}, ${event.requested_by.door})`];
    case "decided": return event.allowed ? ["The gate allowed it", "good"] : [`The gate refused it: ${event.reasons.join(", ")}`, "bad"];
    case "queued": return ["Waits for a slot of the carrier"];
    case "dialing": return ["Dialling"];
    case "carrier_accepted": return [`The carrier took it (${event.call_sid})`];
    case "carrier_refused": return [`The carrier refused: ${event.message}`, "bad"];
    case "carrier_uncertain": return [`Unknown whether it left: ${event.message}`, "warn"];
    case "carrier_status": return [`${CARRIER_STATUSES[event.status] ?? `Carrier: ${event.status}`}${event.sip_code ? ` (SIP ${event.sip_code})` : ""}`];
    case "answered_by": return [`Answered by ${event.answered_by.replaceAll("_", " ")}`];
    case "stream_started": return ["Audio connected"];
    case "agent_connected": return [`Agent ready after ${event.ready_ms} ms${event.warmed ? ", socket opened ahead" : ""}`, "good"];
    case "agent_lost": return [`Agent lost: ${event.reason}${event.will_retry ? ", trying again" : ""}`, "bad"];
    case "barge_in": return ["The caller talked over the agent", "warn"];
    case "tool_called": return [`Tool ${event.name} called`];
    case "tool_sent": return [`Tool ${event.tool} asked of ${event.server}`];
    case "tool_answered": return [`Tool ${event.name} ${event.is_error ? "failed" : "answered"} after ${event.elapsed_ms} ms`, event.is_error ? "bad" : ""];
    case "opted_out": return [`Asked not to be called again (${event.channel})`, "warn"];
    case "recording_steered": return [recording_step(event)];
    case "recording_stored": return [RECORDING_STATUSES[event.status] ?? `Recording: ${event.status}`];
    case "conversation_analysed": return [`Summary: ${event.summary ?? "none"}`];
    case "stream_ended": return [`Audio ended: ${STREAM_ENDS[event.cause] ?? event.cause}. Clearline added ${micros(event.counters.relay_p50_us)} at the median, ${micros(event.counters.relay_p99_us)} at p99`];
    case "resume_awaited": return ["The server came back; the call waits for the carrier", "warn"];
    case "hang_up_requested": return [`End asked for by ${event.by.name} (${event.by.door})`];
    case "ended": { const [text, kind] = DISPOSITIONS[event.disposition] ?? [event.disposition]; return [`Ended: ${text}${event.detail ? ` (${event.detail})` : ""}`, kind]; }
    case "agent_messaged": return [`${event.by.name} ${event.kind === "context" ? "whispered to the agent" : "spoke in the caller's place"}: ${event.text}`];
    case "agent_muted": return [`Agent muted by ${event.by.name}`, "warn"];
    case "agent_unmuted": return [`Agent unmuted by ${event.by.name}`];
    case "house_spoke": return [`Our voice says, for ${event.by.name}: ${event.text}`];
    case "keys_sent": return [`Keys sent by ${event.by.name}: ${event.keys}`];
    case "held": return [`Put on hold by ${event.by.name}`, "warn"];
    case "resumed": return [`Taken off hold by ${event.by.name}`];
    case "taken_over": return [`Taken over by ${event.by.name}`, "warn"];
    case "handed_back": return [`Handed back by ${event.by.name}`];
    case "transfer_started": return [`On its way to ${event.name ?? event.to} (${event.by.name})`];
    case "transfer_blocked": return [`The gate refused the transfer: ${event.reasons.join(", ")}`, "bad"];
    case "transfer_connected": return ["The other one took the call", "good"];
    case "transfer_failed": return [`Nobody took the transfer: ${event.reason.replaceAll("_", " ")}`, "warn"];
    case "own_audio_heard": case "keys_collected": case "turn_withheld":
    case "caller_said": case "caller_saying": case "agent_corrected": case "turn_heard": case "dtmf_received": return null;
    default: return [event.type.replaceAll("_", " ")];
  }
}
