// A call's record as the fold over its events: the same that the server keeps, for what the pages show.

const ORDER = ["queued", "dialing", "ringing", "in_progress", "ended"];

export function apply(call, { at, event }) {
  call.updated_at = at;
  switch (event.type) {
    case "decided": call.decision_id = event.decision_id; break;
    case "dialing": advance(call, "dialing"); break;
    case "carrier_accepted": call.call_sid ??= event.call_sid; advance(call, "dialing"); break;
    case "carrier_status":
      call.carrier_status = event.status;
      if (event.status === "ringing") advance(call, "ringing");
      if (event.status === "in-progress") { call.answered_at ??= at; advance(call, "in_progress"); }
      break;
    case "answered_by": call.answered_by ??= event.answered_by; break;
    case "stream_started": call.at_vendor = false; call.answered_at ??= at; advance(call, "in_progress"); break;
    case "handed_over":
      call.at_vendor = true;
      call.conversation_id = event.conversation_id;
      call.answered_at ??= at;
      advance(call, "in_progress");
      break;
    case "agent_replaced": call.agent = event.by; break;
    case "agent_connected": call.conversation_id = event.conversation_id; break;
    case "stream_ended": call.counters = event.counters; break;
    case "recording_stored":
      call.recordings = [...(call.recordings || []).filter((one) => one.sid !== event.recording_sid),
        { sid: event.recording_sid, status: event.status, duration_s: event.duration_s }];
      break;
    case "conversation_analysed": call.summary = event.summary; break;
    case "hang_up_requested": call.ending_as ??= event.disposition; break;
    case "taken_over": call.operator = event.by.name; break;
    case "handed_back": call.operator = null; break;
    case "transfer_started": call.transfer = { to: event.to, name: event.name, is_connected: false }; break;
    case "transfer_connected": call.transfer = { ...call.transfer, is_connected: true }; call.ending_as ??= "transferred"; break;
    case "transfer_failed": call.transfer = null; break;
    case "ended": call.disposition = event.disposition; call.ended_at ??= at; advance(call, "ended"); break;
    default: break;
  }
}

export function created({ call_id: id, at, event }) {
  return { id, direction: event.direction, from: event.from, to: event.to, agent: event.agent, purpose: event.purpose,
    state: "queued", created_at: at, updated_at: at, counters: {}, recordings: [] };
}

function advance(call, state) {
  if (ORDER.indexOf(state) > ORDER.indexOf(call.state)) call.state = state;
}

/** In seconds, from the answer on. */
export function duration(call, now) {
  if (!call.answered_at) return null;
  return ((call.ended_at ? Date.parse(call.ended_at) : now) - Date.parse(call.answered_at)) / 1000;
}

/** What the call has cost so far at the operator's rate, which covers carrier and agent; null where no rate is set. */
export function cost(call, per_minute, now) {
  return per_minute > 0 ? ((duration(call, now) ?? 0) / 60) * per_minute : null;
}
