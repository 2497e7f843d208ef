"""The gate once more, in another language and by another reading of the rules: slow, plain, one case at a time.

It reads the states' limits from `tests/fixtures/tcpa_state_rules.toml` and the area codes from the product's table, and finds the next
permissible instant by scanning quarter-hours, where the product jumps from edge to edge. It answers about the conservative profile.
"""

import csv
import re
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from programs import ROOT

RULES = tomllib.loads((ROOT / "tests/fixtures/tcpa_state_rules.toml").read_text())
_AREA_CODES = (ROOT / "config/compliance/area_codes.csv").read_text().splitlines()
NPAS = {row["npa"]: row for row in csv.DictReader(line for line in _AREA_CODES if not line.startswith("#"))}
US = [npa for npa, row in NPAS.items() if (row["kind"], row["country"], row["status"]) == ("geographic", "US", "in_service")]

PRECEDENCE = """
INVALID_NUMBER INTERNATIONAL_NOT_COVERED NPA_NOT_IN_SERVICE NON_GEOGRAPHIC_NUMBER COUNTRY_NOT_ENABLED INTERNAL_DNC
CONSENT_REVOKED LITIGATOR_LIST REASSIGNED_NUMBER PROTECTED_LINE CONSENT_NOT_YET_VALID CONSENT_EXPIRED CONSENT_NUMBER_MISMATCH
CONSENT_SELLER_MISMATCH CONSENT_PURPOSE_MISMATCH CONSENT_MISSING CONSENT_INSUFFICIENT NATIONAL_DNC STATE_DNC DNC_DATA_STALE
FACT_UNKNOWN STATE_PROHIBITION STATE_OF_EMERGENCY HOLIDAY_BAN SUNDAY_BAN OUTSIDE_HOURS_FEDERAL OUTSIDE_HOURS_STATE
OUTSIDE_HOURS_STATE_AUTOMATED FREQ_CAP_STATE FREQ_CAP_EXEMPT IN_FLIGHT
""".split()
ABOUT_TIME = set(PRECEDENCE[PRECEDENCE.index("HOLIDAY_BAN") : PRECEDENCE.index("IN_FLIGHT")])
DAY = timedelta(days=1)
HORIZON = timedelta(days=62)


def instant(text):
    return datetime.fromisoformat(text) if text else None


def day(text):
    return date.fromisoformat(text) if text else None


def nth_weekday(year, month, weekday, nth):
    if nth > 0:
        first = date(year, month, 1)
        return first + timedelta((weekday - first.weekday()) % 7 + 7 * (nth - 1))
    last = date(year + (month == 12), month % 12 + 1, 1) - DAY
    return last - timedelta((last.weekday() - weekday) % 7)


def easter(year):
    """Gauss's algorithm with the tables of the Gregorian reform worked out (Knuth, TAOCP 1.3.2, exercise 14)."""
    golden = year % 19 + 1
    century = year // 100 + 1
    skipped = 3 * century // 4 - 12
    moon = (8 * century + 5) // 25 - 5
    sunday = 5 * year // 4 - skipped - 10
    epact = (11 * golden + 20 + moon - skipped) % 30
    if epact == 24 or (epact == 25 and golden > 11):
        epact += 1
    full_moon = 44 - epact
    if full_moon < 21:
        full_moon += 30
    march = full_moon + 7 - (sunday + full_moon) % 7
    return date(year, 3, 1) + timedelta(march - 1)


def with_observed(on):
    """The day itself, and the Friday before a Saturday or the Monday after a Sunday (5 USC 6103(b))."""
    return {on} | {5: {on - DAY}, 6: {on + DAY}}.get(on.weekday(), set())


EXTRA_DAYS = {
    "confederate_memorial": lambda year: {nth_weekday(year, 4, 0, 4)},
    "jefferson_davis": lambda year: {nth_weekday(year, 6, 0, 1)},
    "good_friday": lambda year: {easter(year) - timedelta(2)},
    "all_saints": lambda year: with_observed(date(year, 11, 1)),
    "flag_day": lambda year: with_observed(date(year, 6, 14)),
    "election_day": lambda year: {nth_weekday(year, 11, 0, 1) + DAY},
    "victory_day": lambda year: {nth_weekday(year, 8, 0, 2)},
    "pioneer_day": lambda year: with_observed(date(year, 7, 24)),
    # Rhode Island's, in even years.
    "state": lambda year: {nth_weekday(year, 11, 0, 1) + DAY} if year % 2 == 0 else set(),
    # By proclamation: an operator's own rows.
    "governor": lambda year: set(),
}


@lru_cache(None)
def holidays(state, year):
    days = set()
    for y in (year - 1, year, year + 1):
        for month, number in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25)):
            days |= with_observed(date(y, month, number))
        for month, weekday, nth in ((1, 0, 3), (2, 0, 3), (5, 0, -1), (9, 0, 1), (10, 0, 2), (11, 3, 4)):
            days.add(nth_weekday(y, month, weekday, nth))
        for entry in RULES["holidays_extra"].get(state, []):
            name = re.split("[ :]", entry)[0]
            if name == "mardi_gras":
                # Alabama's is of two counties only.
                days |= {easter(y) - timedelta(47)} if state != "AL" else set()
            else:
                days |= EXTRA_DAYS[name](y)
    return days


def live_windows(state, on):
    row = RULES["states"][state]
    windows = {key: row[key] for key in ("mf", "sat", "sun", "hol")}
    before = row.get("before")
    if before and on < day(before["date"]):
        windows |= {key: text for key, text in before.items() if key != "date"}
    return windows


@lru_cache(None)
def automated_windows(state):
    text = RULES["states"][state]["auto_hours"]
    if not text:
        return {}
    if text[0].isdigit():
        return dict.fromkeys(("mf", "sat", "sun"), text)
    return dict(part.strip().split(" ") for part in text.split(";"))


def inside(window, local):
    start, end = window.split("-")
    return start <= f"{local:%H:%M:%S.%f}" < end + ":00.000000" if end != "24:00" else start <= f"{local:%H:%M}"


def weekday_key(on):
    return ("mf", "sat", "sun")[max(0, on.weekday() - 4)]


def places(case):
    area = NPAS[case["number"][2:5]]
    zones, states = area["zones"].split("|"), [area["region"]]
    state, zone = case["known_state"], case["known_zone"]
    if state == area["region"]:
        return ([zone] if zone else zones), states
    added = [zone] if zone else []
    if state:
        states.append(state)
        if not zone:
            added = [name for npa in US if NPAS[npa]["region"] == state for name in NPAS[npa]["zones"].split("|")]
    return list(dict.fromkeys(zones + added)), states


def time_codes(case, zones, states, at):
    codes, sells, by_ai = set(), case["purpose"] == "telemarketing", case["voice"] == "ai"
    for zone in zones:
        local = at.astimezone(ZoneInfo(zone))
        on = local.date()
        key = weekday_key(on)
        if not inside("08:00-21:00", local):
            codes.add("OUTSIDE_HOURS_FEDERAL")
        for state in states if sells else ():
            windows = live_windows(state, on)
            if windows["hol"] == "none" and on in holidays(state, on.year):
                codes.add("HOLIDAY_BAN")
            if key == "sun" and windows["sun"] == "none":
                codes.add("SUNDAY_BAN")
            elif windows[key] == "none" or (windows[key] and not inside(windows[key], local)):
                codes.add("OUTSIDE_HOURS_STATE")
            automated = automated_windows(state) if by_ai else {}
            window = automated.get(key, "")
            if "hol" in automated and on in holidays(state, on.year):
                window = automated["hol"]
            if window == "none" or (window and not inside(window, local)):
                codes.add("OUTSIDE_HOURS_STATE_AUTOMATED")
    if sells and "MS" in states and at.astimezone(ZoneInfo("America/Chicago")).dst():
        standard = at - timedelta(hours=6)
        window = live_windows("MS", standard.date())[weekday_key(standard.date())]
        if window != "none" and not inside(window, standard):
            codes.add("OUTSIDE_HOURS_STATE")
    return codes


def full_caps(case, zones, states, at, standing):
    """Each full cap: its code, and when it has room again."""
    attempts, full = sorted(standing["attempts"]), []

    def rolling(code, count, window):
        counted = [attempt for attempt in attempts if at - window < attempt <= at]
        if len(counted) >= count:
            full.append((code, counted[len(counted) - count] + window))

    for state in states if case["purpose"] == "telemarketing" else ():
        count = RULES["states"][state]["cap24"]
        if count and not (state == "OR" and standing["relationship"] == "purchase"):
            rolling("FREQ_CAP_STATE", count, DAY)
        if state == "ME" and case["voice"] == "ai":
            rolling("FREQ_CAP_STATE", 1, timedelta(hours=8))
    if standing["exempt"] and case["purpose"] == "informational":
        rolling("FREQ_CAP_EXEMPT", 3, 30 * DAY)
    if standing["exempt"] and case["purpose"] == "healthcare":
        rolling("FREQ_CAP_EXEMPT", 3, 7 * DAY)
        rolling("FREQ_CAP_EXEMPT", 1, DAY)
        for zone in map(ZoneInfo, zones):
            today = at.astimezone(zone).date()
            if any(attempt <= at and attempt.astimezone(zone).date() == today for attempt in attempts):
                full.append(("FREQ_CAP_EXEMPT", datetime.combine(today + DAY, time(0), zone).astimezone(UTC)))
    return full


def next_permissible(case, zones, states, at, standing):
    now, end = at, at + HORIZON
    while now <= end:
        full = full_caps(case, zones, states, now, standing)
        if full:
            now = max(free for _, free in full)
        elif time_codes(case, zones, states, now):
            now = datetime.fromtimestamp(int(now.timestamp()) // 900 * 900 + 900, UTC)
        else:
            return f"{now:%Y-%m-%dT%H:%M:%SZ}"
    return None


def number_codes(number):
    if not re.fullmatch(r"\+[1-9][0-9]{7,14}", number):
        return {"INVALID_NUMBER"}
    if number[1] != "1":
        return {"INTERNATIONAL_NOT_COVERED"}
    if not re.fullmatch(r"\+1[2-9][0-9]{2}[2-9][0-9]{6}", number) or "11" in (number[3:5], number[6:8]):
        return {"INVALID_NUMBER"}
    codes, area = set(), NPAS.get(number[2:5])
    if not area or area["status"] != "in_service":
        codes.add("NPA_NOT_IN_SERVICE")
    if area and area["kind"] != "geographic":
        codes.add("NON_GEOGRAPHIC_NUMBER")
    elif area and area["country"] != "US":
        codes.add("COUNTRY_NOT_ENABLED")
    return codes


def consent_standing(case, at, flags):
    """Whether the record is valid, and the codes of what is wrong with it."""
    has_one = case["consent_type"] in ("express", "written")
    given, expires, revoked = (instant(case[key]) for key in ("consent_at", "consent_expires_at", "revoked_at"))
    withdrawn = revoked is not None and revoked <= at
    given_again = has_one and withdrawn and given is not None and given > revoked
    failures = {
        "FACT_UNKNOWN": given is None,
        "CONSENT_NOT_YET_VALID": given is not None and given > at,
        "CONSENT_EXPIRED": expires is not None and at >= expires,
        "CONSENT_NUMBER_MISMATCH": "consent_other_number" in flags,
        "CONSENT_SELLER_MISMATCH": "consent_other_seller" in flags,
        "CONSENT_PURPOSE_MISMATCH": case["purpose"] == "telemarketing"
        and "telemarketing" not in case["consent_scope"].split(";"),
    }
    failed = {code for code, fails in failures.items() if fails}
    stands = has_one and (not withdrawn or given_again)
    # Only a consent that is in force, of this number and for this seller, gives permission back.
    gives_back = given_again and not failed & {
        "CONSENT_NOT_YET_VALID",
        "CONSENT_EXPIRED",
        "CONSENT_NUMBER_MISMATCH",
        "CONSENT_SELLER_MISMATCH",
    }
    revocation_binds = withdrawn and not gives_back
    return stands and not failed, failed if stands else set(), revocation_binds


def months_later(start, months):
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - DAY).day
    return date(year, month + 1, min(start.day, last))


def live_relationship(case, at, today, zones):
    began = day(case["ebr_date"])
    revoked = instant(case["revoked_at"])
    if began and revoked and revoked <= at and began <= max(
        revoked.astimezone(ZoneInfo(zone)).date() for zone in zones
    ):
        return None
    terms = {"purchase": (18, 540), "inquiry": (3, 90)}.get(case["ebr"])
    if began is None or terms is None or began > today:
        return None
    months, days = terms
    return case["ebr"] if today <= min(began + timedelta(days), months_later(began, months)) else None


def decide(case, reserved=()):
    """Decision, reason codes (or the code of the allowance), next permissible instant."""
    codes = number_codes(case["number"])
    if codes:
        return "deny", [code for code in PRECEDENCE if code in codes], None
    if case["purpose"] == "emergency":
        return "allow", "ALLOW_EMERGENCY", None
    at, (zones, states) = instant(case["call_time_utc"]), places(case)
    today = at.astimezone(ZoneInfo(zones[0])).date()
    flags = case["flags"].split(";")
    sells, by_ai, line = case["purpose"] == "telemarketing", case["voice"] == "ai", case["line_type"] or "mobile"
    valid, failed, revocation_binds = consent_standing(case, at, flags)
    written = valid and case["consent_type"] == "written"
    relationship = live_relationship(case, at, today, zones)
    needs = "nothing"
    if by_ai and line != "landline_biz":
        needs = "written" if sells else "express" if line == "mobile" else "express or exempt"
    exempt = needs == "express or exempt" and not valid

    def add(code, applies):
        if applies:
            codes.add(code)

    listed = instant(case["internal_dnc_at"])
    add("INTERNAL_DNC", listed is not None and listed <= at)
    add("CONSENT_REVOKED", revocation_binds)
    add("LITIGATOR_LIST", case["litigator"] == "y")
    add("REASSIGNED_NUMBER", case["rnd"] == "yes")
    add("FACT_UNKNOWN", case["litigator"] == "" or case["rnd"] == "")
    add("PROTECTED_LINE", "patient_room" in flags and by_ai and not valid)
    if needs in ("written", "express") and not valid:
        codes |= failed or {"CONSENT_MISSING"}
    add("CONSENT_INSUFFICIENT", needs == "written" and valid and not written)
    if sells and line != "landline_biz" and not written and not relationship:
        add("NATIONAL_DNC", case["ndnc"] == "y")
        add("STATE_DNC", case["state_dnc"] == "y")
        add("FACT_UNKNOWN", case["ndnc"] == "" or case["state_dnc"] == "")
        as_of = day(case["dnc_list_date"])
        add("DNC_DATA_STALE", as_of is None or (today - as_of).days > 31)
    unsolicited = sells and not valid and not relationship
    add("STATE_PROHIBITION", unsolicited and line == "mobile" and {"AZ", "NJ"} & set(states))
    add("STATE_OF_EMERGENCY", unsolicited and "emergency_NY" in flags and "NY" in states)
    add("STATE_OF_EMERGENCY", sells and "emergency_LA" in flags and "LA" in states)
    codes |= time_codes(case, zones, states, at)
    attempts = [instant(text) for text in case["attempts_utc"].split(";") if text] + list(reserved)
    standing = {"attempts": attempts, "exempt": exempt, "relationship": relationship}
    full = {code for code, _ in full_caps(case, zones, states, at, standing)}
    codes |= full
    add("IN_FLIGHT", reserved and not full)
    if not codes:
        return "allow", "ALLOW_EXEMPT" if exempt else "ALLOW", None
    waiting_helps = codes <= ABOUT_TIME
    following = next_permissible(case, zones, states, at, standing) if waiting_helps else None
    return "deny", [code for code in PRECEDENCE if code in codes], following
