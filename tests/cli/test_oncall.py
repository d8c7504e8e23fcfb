"""`oncall` answers from the daemon, or from the files alone, in the same words."""

import json
from pathlib import Path

import pytest

from escalatord.cli.options import shipped_rules
from tests.cli.conftest import ONCALL

RULES = shipped_rules()


def test_oncall_says_who_and_why_and_where_nobody_is(ask, fake) -> None:
    """Every schedule in a line; a gap is exit 1."""
    fake.answers["/api/v1/oncall"] = (200, ONCALL)
    result = ask("oncall")
    assert "  payments-primary  ana (Ana Ruiz)  layer madrid" in result.output.splitlines()
    assert result.exit_code == 1


def test_oncall_of_one_schedule(ask, fake) -> None:
    """Only the one that was asked for counts."""
    fake.answers["/api/v1/oncall"] = (200, ONCALL)
    result = ask("oncall", "payments-primary", "--at", "2026-10-24 03:11 Europe/Madrid")
    assert result.exit_code == 0
    assert "night" not in result.output
    assert fake.asked[0][1] == "/api/v1/oncall?at=2026-10-24T01%3A11%3A00%2B00%3A00"


def test_oncall_from_rules_asks_no_daemon(ask, fake) -> None:
    """With --rules the files answer, overrides in them included."""
    result = ask("oncall", "managers", "--rules", RULES, "--at", "2026-12-25 03:00 Europe/Madrid")
    assert result.exit_code == 0
    assert "managers  ivo (Ivo Santos)  override: Mar is away over Christmas" in result.output
    assert "at 2026-12-25 03:00 Europe/Madrid = 2026-12-25 02:00:00 UTC" in result.output
    assert fake.asked == []


def test_oncall_in_json_has_the_shape_of_the_api(run) -> None:
    """Tools need not know where the answer came from."""
    found = json.loads(run("oncall", "--rules", RULES, "--at", "2026-12-25T02:00:00Z", "--json").output)
    assert found["at"] == "2026-12-25T02:00:00+00:00"
    assert found["schedules"][0].keys() == ONCALL["schedules"][0].keys()


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ["--at", "tomorrow", "--rules", str(RULES)]),
        (2, ["nobodys", "--rules", str(RULES)]),
        (3, ["--rules", "there-are-none"]),
    ],
    ids=["no time", "no such schedule", "no rules"],
)
def test_oncall_refuses_what_it_cannot_answer(run, code: int, arguments: list[str]) -> None:
    """Usage is 2, bad rules are 3."""
    assert run("oncall", *arguments).exit_code == code


def test_oncall_with_bad_rules_says_what_is_wrong(run, tmp_path: Path) -> None:
    """Findings are told as `check` tells them."""
    (tmp_path / "rules.yaml").write_text("policies: 7\n")
    result = run("oncall", "--rules", tmp_path)
    assert result.exit_code == 3
    assert "rules.yaml:1" in result.output


def test_gaps_ahead_are_hatched(ask, fake) -> None:
    """Where nobody will be in the next seven days is told without being asked, in the terminal's time."""
    fake.answers["/api/v1/oncall"] = (200, ONCALL)
    lines = ask("oncall").output.splitlines()
    assert lines[-2:] == ["night:", "  //// 2026-10-24 01:12:00 UTC to 2026-10-24 06:00:00 UTC  //// NOBODY"]


def test_week_shows_every_shift_and_who_shadows(ask, fake) -> None:
    """With --week shifts and gaps stand in one list, by start; a shadow is called so."""
    night = {**ONCALL["schedules"][1], "shadows": [{"person": "bo", "name": "Bo", "because": "layer learn"}]}
    turn = {"person": "ana", "name": "Ana Ruiz", "because": "layer night", "shadow": False}
    night["shifts"] = [
        {**turn, "start": "2026-10-24T06:00:00Z", "end": "2026-10-25T01:12:00Z"},
        {**turn, "person": "bo", "start": "2026-10-23T06:00:00Z", "end": "2026-10-24T01:12:00Z", "shadow": True},
    ]
    fake.answers["/api/v1/oncall"] = (200, {**ONCALL, "schedules": [night]})
    result = ask("oncall", "--week")
    assert fake.asked[0][1] == "/api/v1/oncall?days=7"
    lines = result.output.splitlines()
    assert "shadow: bo" in lines[1]
    assert [line.split("  ")[-1].strip() for line in lines[4:]] == [
        "bo (Ana Ruiz), shadow, layer night",
        "//// NOBODY",
        "ana (Ana Ruiz), layer night",
    ]


def test_week_from_rules_has_the_shape_of_the_api(run) -> None:
    """Shifts, gaps and shadows too."""
    found = json.loads(
        run("oncall", "managers", "--week", "--rules", RULES, "--at", "2026-12-25T02:00:00Z", "--json").output
    )
    because = [shift["because"] for shift in found["schedules"][0]["shifts"]]
    assert because == ["override: Mar is away over Christmas", "layer managers"]


def test_calendar_is_written_as_it_came(ask, fake) -> None:
    """Octet by octet, for a file."""
    fake.answers["/api/v1/calendars/managers"] = (
        200,
        {"schedule": "managers", "url": "https://x/y", "ics": "A\r\nB\r\n"},
    )
    assert ask("calendar", "managers").stdout_bytes == b"A\r\nB\r\n"
    assert ask("calendar", "managers", "--subscribe").output == "https://x/y\n"
    assert json.loads(ask("calendar", "managers", "--json").output)["ics"] == "A\r\nB\r\n"
    assert ask("calendar", "nobodys").exit_code == 1


def test_calendar_from_rules_asks_no_daemon(ask, fake) -> None:
    """The files are enough for the text, not for an address."""
    result = ask("calendar", "managers", "--rules", RULES)
    assert result.stdout_bytes.startswith(b"BEGIN:VCALENDAR\r\n")
    assert b"SUMMARY:Mar Vidal\r\n" in result.stdout_bytes
    assert ask("calendar", "nobodys", "--rules", RULES).exit_code == 2
    assert ask("calendar", "managers", "--rules", RULES, "--subscribe").exit_code == 2
    assert fake.asked == []
