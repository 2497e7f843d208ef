"""Cases drawn at random, near every edge that the rules know, answered by the product and by an independent reading of the rules."""

import json
import os
import random
import secrets
import subprocess
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import programs
from gate_reference import DAY, NPAS, PRECEDENCE, RULES, US, decide, easter, instant, nth_weekday

CASES = 4_000
STATES = sorted(RULES["states"])
BY_STATE = {state: [npa for npa in US if NPAS[npa]["region"] == state] for state in STATES}
NO_NUMBERS = ["+1212", "+442071838750", "12125550113", "+12120550113", "+12129110113", "+14115550113", "", "+1", "+85212345678", "+12325550113"]
# Area codes of no place, of another country, or not in service.
UNUSUAL = sorted(set(NPAS) - set(US))
FIXED_DAYS = [(1, 1), (6, 14), (6, 19), (7, 4), (7, 24), (11, 1), (11, 11), (12, 25), (12, 31)]
NTH_DAYS = [(1, 0, 3), (2, 0, 3), (3, 6, 2), (4, 0, 4), (5, 0, -1), (6, 0, 1), (8, 0, 2), (9, 0, 1), (10, 0, 2), (11, 6, 1), (11, 3, 4)]


def remarkable_days():
    """Holidays, the days beside them, the days on which clocks change, and Pennsylvania's new window."""
    days = [date(2026, 10, 18)]
    for year in (2026, 2027, 2028):
        days += [date(year, month, number) for month, number in FIXED_DAYS]
        days += [nth_weekday(year, month, weekday, nth) for month, weekday, nth in NTH_DAYS]
        days += [easter(year) - timedelta(47), easter(year) - timedelta(2), nth_weekday(year, 11, 0, 1) + DAY]
    return days


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.remarkable = remarkable_days()

    def chance(self, share):
        return self.random.random() < share

    def one(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def moment(self, zone):
        if self.chance(0.35):
            on = self.random.choice(self.remarkable) + timedelta(self.random.choice((-1, 0, 0, 0, 1)))
        else:
            on = date(2026, 1, 1) + timedelta(self.random.randrange(1095))
        if self.chance(0.5):
            clock = time(self.random.choice((0, 8, 9, 10, 12, 13, 17, 18, 19, 20, 21, 23)), self.random.choice((0, 0, 0, 15, 30, 45)))
            second = timedelta(seconds=self.random.choice((-1, 0, 0, 1)))
            return datetime.combine(on, clock, ZoneInfo(zone)).astimezone(UTC) + second
        zone = ZoneInfo(zone) if self.chance(0.7) else UTC
        hour = self.random.randrange(9, 19) if zone is not UTC else self.random.randrange(24)
        return datetime.combine(on, time(hour, self.random.randrange(60), self.random.randrange(60)), zone).astimezone(UTC)

    def near(self, at, share):
        if self.chance(share):
            return at + timedelta(seconds=self.random.choice((-1, 0, 1)))
        return at - timedelta(days=self.random.randrange(1, 400), seconds=self.random.randrange(86_400))

    def attempts(self, at):
        ages = []
        for _ in range(self.random.randrange(1, 7)):
            window = self.random.choice((8 * 3600, 86_400, 7 * 86_400, 30 * 86_400))
            ages.append(self.random.choice((window, window - 1, window + 1, self.random.randrange(window), 0, -1)))
        return ";".join(written(at - timedelta(seconds=age)) for age in ages)

    def place(self, npa):
        """State and zone of a verified address, each perhaps none."""
        if self.chance(0.7):
            return "", ""
        own = NPAS[npa]["region"]
        state = self.random.choice(STATES) if self.chance(0.6) or own not in STATES else own
        zone = self.random.choice(NPAS[self.random.choice(BY_STATE[state])]["zones"].split("|"))
        return ("" if self.chance(0.15) else state), (zone if self.chance(0.6) else "")

    def case(self, name):
        npa = self.random.choice(UNUSUAL if self.chance(0.05) else BY_STATE[self.random.choice(STATES)])
        zones = (NPAS[npa]["zones"] or "America/New_York").split("|")
        at = self.moment(self.random.choice(zones))
        today = at.astimezone(ZoneInfo(zones[0])).date()
        state, zone = self.place(npa)
        # Half of the cases are clean, so that the rules about time decide.
        soiled = self.chance(0.5)
        given = written(self.near(at, 0.06)) if self.chance(0.97) else ""
        case = {
            "id": name,
            "number": self.random.choice(NO_NUMBERS) if self.chance(0.02) else f"+1{npa}55501{self.random.randrange(100):02}",
            "call_time_utc": written(at),
            "voice": self.one({"ai": 2, "human": 1}),
            "purpose": self.one({"telemarketing": 12, "informational": 4, "healthcare": 4, "emergency": 1}),
            "line_type": self.one({"mobile": 1, "landline_res": 1, "landline_biz": 1, "": 1}),
            "known_state": state,
            "known_zone": zone,
            "consent_type": self.one({"written": 6, "express": 3, "none": 2, "": 1}),
            "consent_scope": self.one({"telemarketing": 8, "appointment": 1, "appointment;telemarketing": 2, "": 1}),
            "consent_at": given,
            "consent_expires_at": "",
            "revoked_at": "",
            "ndnc": "n",
            "state_dnc": "n",
            "dnc_list_date": str(today - timedelta(9)),
            "internal_dnc_at": "",
            "ebr": self.one({"none": 4, "": 2, "purchase": 2, "inquiry": 2}),
            "ebr_date": self.relationship_date(today),
            "rnd": "no",
            "litigator": "n",
            "attempts_utc": self.attempts(at) if self.chance(0.45) else "",
            "flags": "",
            "group": "",
        }
        if soiled:
            case |= self.soil(at, today, given, NPAS[npa]["region"])
        return case

    def relationship_date(self, today):
        edges = (0, 1, -1, 88, 89, 90, 91, 92, 93, 538, 539, 540, 541, 546, 547, 548, 549, 550)
        return str(today - timedelta(self.random.choice(edges) if self.chance(0.5) else self.random.randrange(700)))

    def soil(self, at, today, given, state):
        flags = {"consent_other_number": 0.05, "consent_other_seller": 0.05, "patient_room": 0.08}
        emergencies = {"NY": 0.06, "LA": 0.06, "TX": 0.03}
        emergencies |= {state: 0.6} if state in emergencies else {}
        flags |= {f"emergency_{state}": share for state, share in emergencies.items()}
        expires = at + timedelta(seconds=self.random.choice((-1, 0, 1, -1_000_000, 1_000_000)))
        revoked = self.random.choice((written(self.near(at, 0.3)), given, written(at - 3 * DAY)))
        old = self.random.choice((0, -1, 30, 31, 32, 33))
        return {
            "consent_expires_at": written(expires) if self.chance(0.12) else "",
            "revoked_at": revoked if self.chance(0.12) else "",
            "ndnc": self.one({"n": 12, "y": 3, "": 1}),
            "state_dnc": self.one({"n": 14, "y": 1, "": 1}),
            "dnc_list_date": self.one({str(today - timedelta(old)): 6, str(today): 3, "": 1}),
            "internal_dnc_at": written(self.near(at, 0.4)) if self.chance(0.06) else "",
            "rnd": self.one({"no": 14, "no_data": 2, "yes": 1, "": 1}),
            "litigator": self.one({"n": 16, "y": 1, "": 1}),
            "flags": ";".join(flag for flag, share in flags.items() if self.chance(share)),
        }


def written(at):
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def product_answers(cases, home):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run(
        [programs.BINARY, "check", "--jsonl"],
        input=lines, capture_output=True, text=True, check=False, timeout=100, env=programs.environment(home / "gate", {}),
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def test_the_gate_answers_as_the_reference_does(home):
    seed = int(os.environ.get("GATE_SEED") or secrets.randbelow(2**32))
    print(f"GATE_SEED={seed}")
    draw, cases = Draw(seed), []
    for number in range(CASES):
        case = draw.case(str(number))
        cases.append(case)
        if draw.chance(0.08):
            # The same request twice at once.
            case["group"] = f"group-{number}"
            cases.append(case | {"id": f"{number}, again"})
    reserved, seen, wrong = {}, Counter(), []
    for case, answer in zip(cases, product_answers(cases, home), strict=True):
        slot = (case["group"], case["number"])
        decision, why, following = decide(case, reserved.get(slot, []) if case["group"] else [])
        if decision == "allow" and case["group"]:
            reserved.setdefault(slot, []).append(instant(case["call_time_utc"]))
        seen.update(why if decision == "deny" else [why])
        given = (answer["decision"], answer["reasons"] or answer["reason_code"], answer["next_permissible_at"])
        if given != (decision, why, following):
            told = {key: text for key, text in case.items() if text}
            wrong.append(f"{told}\n  reference {decision} {why} {following}\n  product   {' '.join(map(str, given))}")
    assert not wrong, f"GATE_SEED={seed}: {len(wrong)} of {len(cases)} differ\n" + "\n".join(wrong[:5])
    missed = set(PRECEDENCE) - set(seen)
    assert not missed, f"GATE_SEED={seed}: no case for {missed}"
