"""Schedules that another calendar plans: where the calendar lies, and what `check` can and cannot know of it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.config import feeds as subject
from escalatord.config.ical_apart import booked_from, command, question
from escalatord.config.load import load
from escalatord.core.roster import Person
from escalatord.core.schedule import on_call
from escalatord.errors import ConfigError
from tests.fakes.ics import event, ics
from tests.fakes.rule_sets import GOOD, told, written

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
ANA = ics(event("ana", "20261001T000000Z", "20261101T000000Z"))
BO = ics(event("bo", "20261001T000000Z", "20261101T000000Z"))
URL = "https://calendar.example.com/private-7QF3M9/oncall.ics"


def rules(ical: str, more: str = "when_empty: [person bo]") -> str:
    """Return rules with one schedule that a calendar plans."""
    return f"{GOOD}schedules:\n  first: {{timezone: UTC, ical: {ical}, {more}}}\n"


def findings(folder: Path, text: str, **environ: str) -> list[str]:
    """Return what loading says, without the places."""
    try:
        found = load(written(folder, rules=text), environ=environ, now=NOW).findings
    except ConfigError as error:
        found = error.findings
    return [line.partition(" ")[2] for line in told(list(found))]


def present(folder: Path, text: str) -> list[str]:
    """Return who is on call as the rules say, a moment after they were loaded."""
    schedule = load(written(folder, rules=text), environ={}, now=NOW).ruleset.schedules["first"]
    return [one.person for one in on_call(schedule, NOW)]


def test_a_file_beside_the_rules_is_read_while_loading(tmp_path: Path) -> None:
    """Its events are the schedule; a changed file is another rule set."""
    (tmp_path / "duty.ics").write_bytes(ANA)
    assert present(tmp_path, rules("duty.ics", "overrides: []")) == ["ana"]
    before = load(tmp_path, environ={}, now=NOW).ruleset
    assert before.schedules["first"].feed.digest == subject.digest_of(ANA)
    (tmp_path / "duty.ics").write_bytes(BO)
    after = load(tmp_path, environ={}, now=NOW).ruleset
    assert [one.person for one in after.schedules["first"].booked] == ["bo"]


def test_an_address_is_not_fetched_while_loading(tmp_path: Path) -> None:
    """Who stands in is on call; the doubt says what would prove more, and no word of the address."""
    assert present(tmp_path, rules(URL)) == ["bo"]
    doubt = 'W054 the calendar of "first" is fetched by the daemon only, so it is not looked into here'
    assert findings(tmp_path, rules(URL)) == [f"{doubt} (put a copy beside the rules, called first.ics)"]
    shown = repr(load(tmp_path, environ={}, now=NOW).ruleset)
    assert "7QF3M9" not in shown


def test_a_copy_beside_the_rules_is_looked_into(tmp_path: Path) -> None:
    """Called like the schedule, it stands for what lies at the address."""
    (tmp_path / "first.ics").write_bytes(ANA)
    assert findings(tmp_path, rules(URL)) == []
    assert present(tmp_path, rules(URL)) == ["ana"]


def test_an_address_may_be_a_secret(tmp_path: Path) -> None:
    """`file:NAME` and `${NAME}` hold it; without secrets it stands for itself."""
    (tmp_path / "address").write_text(URL)
    for text in ("file:address", '"${ADDRESS}"'):
        loaded = load(written(tmp_path, rules=rules(text)), environ={"ADDRESS": URL}, now=NOW)
        assert loaded.ruleset.schedules["first"].feed.address == URL
    bare = load(written(tmp_path, rules=rules("file:nowhere")), environ={}, need_secrets=False, now=NOW)
    assert [finding.code for finding in bare.findings] == ["W054"]


@pytest.mark.parametrize(
    ("ical", "finding"),
    [
        ("nowhere.ics", 'E053 the file "nowhere.ics" cannot be read: no such file or directory'),
        ("page.ics", "E053 the calendar cannot be read (ValueError)"),
        ("http://calendar.example.com/a.ics", "E053 calendars are fetched by https only"),
        ("webcal://calendar.example.com/a.ics", "E053 calendars are fetched by https only"),
        ("https:///a.ics", "E053 this address names no host"),
        ("ftp://calendar.example.com/a.ics", "E053 this is neither a calendar file nor an https address"),
        ("duty.yaml", "E053 this is neither a calendar file nor an https address"),
        ("file:path", "E053 the file holds no https address"),
        ("file:nowhere", 'E053 there is no file "nowhere", neither among the credentials nor beside the rules'),
    ],
)
def test_what_is_no_calendar_is_refused(tmp_path: Path, ical: str, finding: str) -> None:
    """With its place and a sentence."""
    (tmp_path / "page.ics").write_text("<html>")
    (tmp_path / "path").write_text("duty.ics")
    assert finding in "\n".join(findings(tmp_path, rules(ical)))


def test_an_address_needs_somebody_who_stands_in(tmp_path: Path) -> None:
    """The other side may be down when the daemon starts for the first time; a file lies here."""
    assert findings(tmp_path, rules(URL, "overrides: []"))[0] == (
        "E012 a calendar that is fetched may not be there yet, and then nobody would be on call "
        "(add when_empty: [person X])"
    )


@pytest.mark.parametrize(
    ("schedule", "finding"),
    [
        ("{timezone: UTC}", "E012 there are neither `layers` nor `ical`"),
        (
            '{timezone: UTC, ical: a.ics, layers: [{rotate: daily, starts: "2026-01-05", people: [ana]}]}',
            "E013 layers and ical stand together",
        ),
    ],
)
def test_a_schedule_has_one_plan(tmp_path: Path, schedule: str, finding: str) -> None:
    """Layers or a calendar, not both and not neither."""
    assert finding in "\n".join(findings(tmp_path, f"{GOOD}schedules:\n  first: {schedule}\n"))


def test_events_of_strangers_are_a_doubt(tmp_path: Path) -> None:
    """Their titles are told, five of them."""
    names = [f"nobody {number}" for number in range(7)]
    raw = ics(*[event(name, "20261001T000000Z", "20261002T000000Z") for name in names])
    (tmp_path / "duty.ics").write_bytes(raw)
    (line,) = findings(tmp_path, rules("duty.ics"))
    assert line.startswith('W055 events of the calendar name nobody under people: "nobody 0", "nobody 1"')
    assert "and 2 more" in line


def test_without_the_packages_the_command_that_installs_them_is_told(tmp_path: Path, monkeypatch) -> None:
    """A schedule with a calendar needs the extra."""
    monkeypatch.setattr(subject, "find_spec", lambda _: None)
    assert findings(tmp_path, rules("duty.ics")) == [
        "E052 reading calendars needs packages that are not installed (install them: pip install 'escalatord[ical]')"
    ]


def test_rules_without_calendars_import_no_packages_for_them(tmp_path: Path) -> None:
    """`check` of usual rules starts at once."""
    written(tmp_path, rules=GOOD)
    program = (
        "import sys; from pathlib import Path; from escalatord.config.load import load; load(Path(sys.argv[1]));"
        "print([name for name in ('icalendar', 'recurring_ical_events', 'holidays') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == "[]"


def test_a_process_of_its_own_reads_a_calendar() -> None:
    """The child says what it plans or why it is refused, from its input alone."""
    people = {"ana": Person(id="ana", name="Ana", addresses={"sms": "+34600000001", "email": "ana@example.com"})}

    def asked(raw: bytes) -> bytes:
        given = question(raw, "UTC", people, NOW)
        assert b"34600000001" not in given
        return subprocess.run(command(), input=given, capture_output=True, check=True, timeout=60).stdout

    shifts, events, unknown = booked_from(asked(ANA))
    assert ([shift.person for shift in shifts], events, unknown) == (["ana"], 1, 0)
    assert json.loads(asked(b"<html>"))["refused"] == "the calendar cannot be read (ValueError)"
