// What an operator can do to a live call.

import { ask, attempt, can, el, on_key, other_party, sure } from "./base.js";

let made = false;
let current = null;

/** Puts up the buttons once, and takes them down when the call is over. */
export function offer(call, actions) {
  current = call;
  if (!made) {
    made = true;
    if (can("calls:control")) {
      actions.append(el("button", { type: "button", class: "danger quiet", id: "hang-up", onclick: hang_up }, "Hang up", el("kbd", {}, "e")));
      on_key("e", "Hang up …", hang_up);
    }
    if (can("compliance:write")) {
      actions.append(el("button", { type: "button", id: "do-not-call", onclick: do_not_call }, "Mark do-not-call"));
    }
  }
  const hang = document.getElementById("hang-up");
  if (hang) hang.hidden = call.state === "ended";
}

async function hang_up() {
  if (current.state === "ended") return;
  if (await sure({ title: "Hang up?", text: `The call with ${other_party(current)} ends at once.`, action: "Hang up" })) {
    await attempt(() => ask(`/api/v1/calls/${current.id}/end`, { method: "POST" }), "The carrier was asked to end the call.");
  }
}

async function do_not_call() {
  const agreed = await sure({ title: `Never call ${other_party(current)} again?`, text: "The number goes on the do-not-call list and every permission for it ends, before the next dial. This call goes on.", action: "Mark do-not-call" });
  if (agreed) await attempt(() => ask(`/console/actions/calls/${current.id}/do-not-call`, { method: "POST" }), "The number is on the do-not-call list.");
}
