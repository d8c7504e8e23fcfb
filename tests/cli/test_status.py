"""`status` is one screen, and its exit code is fit for a script."""

import json

import pytest

from tests.cli.conftest import ONCALL, STATUS, incident


@pytest.fixture
def told(fake):
    """Let the daemon tell its status, who is on call, and one open incident."""
    fake.answers = {
        "/api/v1/status": (200, STATUS),
        "/api/v1/oncall": (200, ONCALL),
        "/api/v1/incidents": (200, {"incidents": [incident()]}),
    }
    return fake


def test_status_is_one_screen(ask, told) -> None:
    """Health, rules, channels, what is open worst first, who is on call and where nobody is."""
    result = ask("status")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "escalatord 0.1.0  paging  rules 1f9a0c0000000000  2026-10-24 01:12:00 UTC"
    assert "channels down   call/sim" in lines
    assert "channels up     sms/sim" in lines
    assert "open            1 unacknowledged, 0 acknowledged (critical 1)" in lines
    assert any(line.startswith("  INC-142") for line in lines)
    assert any(line.split() == ["night", "NOBODY"] for line in lines)


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"healthy": False}, "NOT HEALTHY"), ({"ready": False}, "NOT READY")],
    ids=["stuck", "starting"],
)
def test_status_of_a_sick_daemon_is_exit_1(ask, told, changes: dict[str, object], word: str) -> None:
    """A daemon that does not page says so in capitals and in the exit code."""
    told.answers["/api/v1/status"] = (200, {**STATUS, **changes})
    result = ask("status")
    assert (result.exit_code, word in result.output) == (1, True)


def test_status_tells_lateness_and_what_is_not_shown(ask, told) -> None:
    """Overdue deadlines and incidents beyond the screen are not kept back."""
    told.answers["/api/v1/status"] = (200, {**STATUS, "overdue_seconds": 90.0, "acknowledged": 41})
    shown = ask("status").output
    assert "late            deadlines by 1m30s" in shown
    assert "… and 41 more: escalatord ls --state active" in shown


def test_status_in_json_holds_everything(ask, told) -> None:
    """One object: status, on call, incidents."""
    found = json.loads(ask("status", "--json").output)
    assert (found["rules"], found["oncall"][0]["name"], found["incidents"][0]["number"]) == (
        "1f9a0c0000000000",
        "payments-primary",
        142,
    )


def test_status_of_a_quiet_night(ask, told) -> None:
    """Nothing open is said in a word."""
    told.answers["/api/v1/status"] = (200, {**STATUS, "unacknowledged": 0, "open": []})
    told.answers["/api/v1/incidents"] = (200, {"incidents": []})
    assert "open            nothing" in ask("status").output
