"""Findings of the proofs beyond what the folder `broken` shows."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.config.coverage import Proof, prove
from escalatord.config.load import load
from tests.fakes import rule_sets
from tests.fakes.rule_sets import written

GOOD = rule_sets.GOOD.replace('bo: {sms: "+34600000002"}', 'bo: {sms: "+34600000002", call: "+34600000002"}')
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TIER = "          - {page: [person ana], within: 5m}\n"
HOOK = "  hook: {provider: webhook, kind: webhook, url: 'https://x.example.com'}\n"


def proof_of(folder: Path, text: str, now: datetime = NOW) -> Proof:
    """Return the proof of some rules."""
    return prove(load(written(folder, r=text), environ={}), now)


def told(proof: Proof) -> list[str]:
    """Return its findings as `line:column CODE sentence`."""
    return [f"{one.line}:{one.column} {one.code} {one.say}" for one in proof.findings]


def test_good_rules_have_no_findings_and_say_what_holds(tmp_path: Path) -> None:
    """The claims stand in for findings."""
    proof = proof_of(tmp_path, GOOD)
    assert told(proof) == []
    assert proof.claims == (
        "somebody is in every tier at every minute of 90 days",
        "the times above, by 3 simulated incidents that nobody acks",
    )
    assert proof.table == (("p technical", "critical, error, warning, info", "0s", "5m", "5m", "the same"),)


SCHEDULE = (
    'schedules: {s: {timezone: Europe/Madrid, layers: [{rotate: daily, starts: "2026-10-05", people: [ana]%s}]}}\n'
)
ON_CALL = GOOD.replace("person ana", "oncall s")


@pytest.mark.parametrize(
    ("window", "now", "say"),
    [
        ("", "2026-10-24 12:00", None),
        (
            ", active: 03:00-02:00",
            "2026-10-24 12:00",
            "Sun 25 Oct 02:00-Sun 25 Oct 03:00 Europe/Madrid (the longest of 90",
        ),
        (
            ", active: 02:30-02:15",
            "2027-03-27 12:00",
            "Mon 29 Mar 02:15-Mon 29 Mar 02:30 Europe/Madrid (the longest of 89",
        ),
    ],
)
def test_days_of_clock_changes_are_looked_at(tmp_path: Path, window: str, now: str, say: str | None) -> None:
    """The hour that happens twice is a hole of an hour, not two; the one that never happens hides its hole."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = told(proof_of(tmp_path, ON_CALL + SCHEDULE % window, at))
    if say is None:
        assert found == []
    else:
        (only,) = found
        assert only.replace("\N{EN DASH}", "-").startswith(f'7:13 E030 tier 1 of "p" technical can be empty {say}')


def test_a_calendar_that_has_run_out_is_told_from_when_on(tmp_path: Path) -> None:
    """The last override ends and nothing follows."""
    overrides = '    overrides: [{person: bo, from: "2026-11-20 00:00", to: "2026-12-31 18:00"}]\n'
    text = ON_CALL + (SCHEDULE % "").replace("2026-10-05", "2028-01-03")
    text = text.replace("schedules: {s: {", "schedules:\n  s: {").replace("]}}\n", f"], {overrides.strip()}}}\n")
    found = told(proof_of(tmp_path, text))
    assert (
        'tier 1 of "p" technical can be empty from Thu 31 Dec 18:00 Europe/Madrid on: oncall s has nobody' in found[0]
    )
    assert "W060 layer" in found[1]


def test_a_gap_is_told_once(tmp_path: Path) -> None:
    """Where it empties a tier, the schedule itself is not told again; where nobody pages it, not at all."""
    gap = SCHEDULE % ", active: 08:00-20:00"
    assert [line.split()[1] for line in told(proof_of(tmp_path, ON_CALL + gap))] == ["E030"]
    assert told(proof_of(tmp_path, GOOD + gap)) == []


def test_a_track_that_is_late_anyway_is_told_once(tmp_path: Path) -> None:
    """With a machine in the first tier nothing needs to die for it."""
    text = GOOD.replace(TIER, TIER.replace("5m", "5m, plan: first") + "          - {page: [person bo], within: 5m}\n")
    text = text.replace("  usual:", "  first: [{by: hook}]\n  usual:").replace("channels:\n", f"channels:\n{HOOK}")
    found = told(proof_of(tmp_path, text))
    assert [line.split()[1] for line in found] == ["E063"]
    assert found[0] == (
        '5:7 E063 "p" technical tells the first human after 5m, when its first tier is over: '
        "critical at Sat 21 Nov 12:00 UTC"
    )


def test_the_worst_severity_is_the_example(tmp_path: Path) -> None:
    """Only what is critical goes by the plan that dies."""
    text = GOOD.replace("    last_resort:", "    when: {critical: {plan: texts}}\n    last_resort:").replace(
        "every: 30m", "plan: texts"
    )
    text = text.replace("  usual:", "  texts: [{by: sms}]\n  usual:")
    (found,) = told(proof_of(tmp_path, text))
    opened = "critical at Sat 21 Nov 12:00 UTC"
    assert found == f'5:7 E062 with channel "sms" dead, "p" technical tells nobody: {opened} pages ana, bo in vain'


def test_many_names_are_cut_short(tmp_path: Path) -> None:
    """Three and how many more."""
    crew = "".join(f'  u{n}: {{sms: "+3460000010{n}"}}\n' for n in range(6))
    text = (
        GOOD.replace("person ana", "team t")
        .replace("[{by: sms}, {by: call, after: 2m}]", "[{by: sms}]")
        .replace("  call: {provider: sim}\n", "")
        + crew
        + "teams: {t: [u0, u1, u2, u3, u4, u5]}\n"
    )
    (found,) = told(proof_of(tmp_path, text))
    assert found.endswith("pages u0, u1, u2 and 4 more in vain")


def test_several_people_who_are_never_on_call_are_one_finding(tmp_path: Path) -> None:
    """One for each layer, at its people."""
    layer = "{rotate: 8 hours, handoff: '08:00', starts: '2026-10-05', people: [ana, bo, cy], active: 08:00-16:00}"
    text = ON_CALL + "  cy: {sms: '+34600000003'}\n"
    text += f"schedules: {{s: {{timezone: UTC, layers: [{layer}], when_empty: [person bo]}}}}\n"
    (found,) = told(proof_of(tmp_path, text))
    assert 'W060 bo, cy are never on call in "s" in the next 90 days' in found


def test_the_table_tells_when_the_worst_is(tmp_path: Path) -> None:
    """Bo takes over at 09:00 on Monday, so whoever pages at 08:55 finds him twice; severities alike share a row."""
    text = GOOD.replace(
        TIER, "          - {page: [oncall s], within: 5m}\n          - {page: [person bo], within: 1h}\n"
    )
    text = text.replace("[person bo], every", "[person bo, person ana], every")
    text = text.replace("    last_resort:", "    when: {critical: {within: 4m}}\n    last_resort:")
    text += 'schedules: {s: {timezone: UTC, layers: [{rotate: weekly, starts: "2026-11-16", people: [ana, bo]}]}}\n'
    rows = proof_of(tmp_path, text).table
    assert [row[:5] for row in rows] == [
        ("p technical", "critical", "0s", "8m (Mon 23 Nov 09:00)", "8m"),
        ("p technical", "error, warning, info", "0s", "1h5m (Mon 23 Nov 09:00)", "1h5m"),
    ]


OFFICE_ONLY = (
    ON_CALL.replace("    last_resort: {", "    hours: {calendar: work}\n    last_resort: {")
    + SCHEDULE % ", active: calendar work"
    + "calendars: {work: {timezone: Europe/Madrid, days: mon-fri, hours: 09:00-18:00}}\n"
)


HELD = (
    'incidents of "p" are held outside calendar work, for 2d15h at most '
    "(Fri 20 Nov 18:00–Mon 23 Nov 09:00 Europe/Madrid)"  # noqa: RUF001 - as it is printed
)


def test_nobody_has_to_be_there_while_pages_are_held(tmp_path: Path) -> None:
    """A schedule of office hours is enough for a policy of office hours; the claim says for how long it holds."""
    proof = proof_of(tmp_path, OFFICE_ONLY)
    assert told(proof) == []
    assert proof.claims[:2] == (
        "somebody is in every tier at every minute of 90 days",
        HELD,
    )
    assert [row[2] for row in proof.table] == ["0s, held up to 2d15h"]


@pytest.mark.parametrize(
    "changed",
    [
        OFFICE_ONLY.replace("calendar: work}\n    last", "calendar: work, unless: severity >= critical}\n    last"),
        OFFICE_ONLY + "exceptions: [{name: x, match: a=b, severity: error, policy: p, why: w}]\n",
        OFFICE_ONLY.replace("    hours: {calendar: work}\n", ""),
    ],
    ids=["critical pages at night", "an exception does", "nothing is held"],
)
def test_whoever_may_be_paged_at_night_has_to_be_there(tmp_path: Path, changed: str) -> None:
    """Where any page may go out at night the gap is an error as ever."""
    assert any(" E030 tier 1" in line for line in told(proof_of(tmp_path, changed)))
