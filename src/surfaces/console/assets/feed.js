// The journal as it grows. Resumes after the last event seen, so that a lost connection loses nothing; a server that no longer
// reaches back that far says so, and the page starts from a new snapshot.

import { $, sign_in_again } from "./base.js";

// The server sends a comment every 15 seconds: silence for longer means that the connection is gone, whatever the socket says.
const SILENCE_MS = 40_000;
const RETRY_MS = [250, 500, 1000, 2000, 4000];

/**
 * `snapshot()` gives what the page starts from, with its `seq`; `event(entry)` gets each event after it, in order.
 * `query` goes to the server along with the place.
 */
export function follow({ snapshot, event, query = {} }) {
  let failures = 0;
  let seen = null;
  let missed = 0;

  async function run() {
    for (;;) {
      try {
        if (seen === null) seen = (await snapshot()).seq;
        await read();
      } catch {
        // Shown below; tried again.
      }
      missed = 0;
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
      failures += 1;
      show("lost", "Connection lost, trying again …");
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  async function read() {
    const cut = new AbortController();
    let alarm;
    const awake = () => { clearTimeout(alarm); alarm = setTimeout(() => cut.abort(), SILENCE_MS); };
    awake();
    try {
      const path = `/api/v1/events?${new URLSearchParams({ ...query, after_seq: seen })}`;
      const response = await fetch(path, { signal: cut.signal, headers: { Accept: "text/event-stream" } });
      if (response.status === 401) await sign_in_again();
      if (!response.ok) throw new Error(response.statusText);
      if (failures > 0) show("joining", "Catching up …");
      else show("live", "Live");
      settle();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        awake();
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) if (!(await take(block))) return;
      }
    } finally {
      clearTimeout(alarm);
      cut.abort();
    }
  }

  // Once it is quiet after a reconnection, everything that was missed has come.
  function settle() {
    if (failures === 0) return;
    setTimeout(() => {
      if (failures === 0 || $("feed").className.includes("lost")) return;
      failures = 0;
      show("live", missed > 0 ? `Live again, ${missed} missed event${missed === 1 ? "" : "s"} caught up` : "Live again, nothing missed");
      setTimeout(() => { if (failures === 0) show("live", "Live"); }, 6000);
    }, 400);
  }

  async function take(block) {
    let kind = "";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("event:")) kind = line.slice(6).trim();
      else if (line.startsWith("data:")) data += line.slice(5);
    }
    if (kind === "reset") {
      // Another journal, or one that was pruned: what we know may be wrong.
      seen = null;
      return false;
    }
    if (kind !== "call_event") return true;
    const entry = JSON.parse(data);
    if (entry.seq > 0) {
      if (entry.seq <= seen) return true;
      seen = entry.seq;
      if (failures > 0) missed += 1;
    }
    event(entry);
    return true;
  }

  run();
}

function show(kind, text) {
  const feed = $("feed");
  feed.className = `feed ${kind}`;
  if (feed.textContent !== text) feed.textContent = text;
}

