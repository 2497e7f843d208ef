// How loud both sides of a call are, and what we add, while somebody looks: the server measures only what is asked for.

import { ask, el } from "./base.js";

// The server takes two readings a second.
const EVERY_MS = 500;

/** Two bars, the caller's above the agent's. */
export function level_bars() {
  const bar = (who) => el("meter", { class: who, min: 0, max: 1, value: 0, "aria-label": `How loud the ${who} is` });
  const [caller, agent] = [bar("caller"), bar("agent")];
  const show = (reading) => {
    caller.value = reading?.caller ?? 0;
    agent.value = reading?.agent ?? 0;
  };
  return { root: el("span", { class: "levels" }, caller, agent), show };
}

/** Asks for the meters of the calls that `wanted()` names, and hands them to `show`, as long as the page is seen. */
export function follow_meters(wanted, show) {
  async function look() {
    const ids = document.hidden ? [] : wanted();
    try {
      if (ids.length > 0) show((await ask(`/console/data/meters?ids=${ids.join()}`)).meters);
    } catch {
      // The mark at the top tells of a lost connection.
    }
    setTimeout(look, EVERY_MS);
  }
  look();
}
