"""`silence` and `maintenance`: what they ask the daemon for, and what they say of its answer."""

import json
from typing import Any

import pytest

SILENCES = "/api/v1/silences"
MADE: dict[str, Any] = {
    "id": 7,
    "kind": "silence",
    "matchers": 'service="search"',
    "when": None,
    "start": "2026-10-24T01:12:00Z",
    "end": "2026-10-24T03:12:00Z",
    "recurs": False,
    "active": True,
    "why": "reindexing",
    "by": "ana",
    "apply_to_open": False,
    "holds_back": 3,
}
DONE: dict[str, Any] = {"reason": "added", "at": MADE["start"], "say": "Silence 7: …", "silence": MADE}


def test_add_asks_for_a_silence(ask, fake) -> None:
    """Only what was given is sent; the answer names how to end it."""
    fake.answers[SILENCES] = (201, DONE)
    result = ask("silence", "add", 'service="search"', "--for", "2h", "--why", "reindexing")
    assert result.exit_code == 0
    sent = {"matchers": 'service="search"', "for": "2h", "why": "reindexing", "via": "cli"}
    assert fake.asked == [("POST", SILENCES, sent)]
    assert result.output.splitlines() == ["Silence 7: …", "That is 2h. End it with: escalatord silence expire 7"]
    ask("silence", "add", "a=b", "--to", "2026-10-24 05:00", "--why", "x", "--apply-to-open", "--json")
    assert fake.asked[1][2] == {
        "matchers": "a=b", "to": "2026-10-24 05:00", "why": "x", "apply_to_open": True, "via": "cli"
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [["--why", "x"], ["--why", "x", "--for", "2h", "--to", "2026-10-24 05:00"], ["--for", "2h"]],
    ids=["no end", "two ends", "no reason"],
)
def test_a_silence_has_one_end_and_a_reason(ask, fake, given) -> None:
    """Usage is 2, and nobody is asked."""
    result = ask("silence", "add", "a=b", *given)
    assert (result.exit_code, fake.asked) == (2, [])


def test_planned_work_is_announced(ask, fake) -> None:
    """From, to and why are needed; it is sent as what it is."""
    planned = {**MADE, "kind": "maintenance", "active": False, "id": 8}
    fake.answers[SILENCES] = (201, {**DONE, "say": "Maintenance 8: …", "silence": planned})
    times = ("--from", "2026-10-24 22:00", "--to", "2026-10-25 04:00")
    result = ask("maintenance", "add", 'cluster="old"', *times, "--why", "CHG-4411")
    assert fake.asked[0][2] == {
        "matchers": 'cluster="old"', "from": times[1], "to": times[3], "why": "CHG-4411",
        "kind": "maintenance", "via": "cli", "apply_to_open": False,
    }  # fmt: skip
    assert result.output.splitlines()[1].endswith("escalatord silence expire 8")
    assert ask("maintenance", "add", "a=b", "--why", "x").exit_code == 2


def test_ls_shows_everything_that_mutes(ask, fake) -> None:
    """Who, why, until when, how much; that of the rules has no number. `maintenance ls` shows planned work."""
    window = {**MADE, "id": None, "kind": "maintenance", "active": False, "recurs": True, "why": "backup", "by": "bo"}
    inhibit = {**MADE, "id": None, "kind": "inhibit", "when": "down", "start": None, "end": None, "holds_back": 0}
    fake.answers[SILENCES] = (200, {"at": MADE["start"], "silences": [MADE, window, inhibit], "alerts": []})
    lines = [" ".join(line.split()) for line in ask("silence", "ls").output.splitlines()]
    assert lines == [
        "at 2026-10-24 01:12:00 UTC",
        '7 silence service="search" until 2026-10-24 03:12 3 held reindexing, by ana',
        'rules maintenance service="search" from 2026-10-24 01:12 weekly 3 held backup, by bo',
        'rules inhibit service="search" while down is open 0 held reindexing, by ana',
    ]
    assert [line.split()[1] for line in ask("maintenance", "ls").output.splitlines()[1:]] == ["maintenance"]
    assert len(json.loads(ask("maintenance", "ls", "--json").output)["silences"]) == 1
    fake.answers[SILENCES] = (200, {"at": MADE["start"], "silences": [], "alerts": []})
    assert ask("silence", "ls").output.splitlines()[1] == "  nothing is muted"


def test_expire_names_a_number(ask, fake) -> None:
    """It says what became of what it held back; nobody's number is a no."""
    fake.answers[f"{SILENCES}/7"] = (200, {**DONE, "reason": "expired", "say": "Silence 7 is over: …"})
    assert ask("silence", "expire", "7").output == "Silence 7 is over: …\n"
    assert fake.asked[0][0] == "DELETE"
    assert ask("silence", "expire", "seven").exit_code == 2
    assert ask("silence", "expire", "8").exit_code == 1


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["words", "json"])
def test_too_many_is_a_negative_answer(ask, fake, more) -> None:
    """Exit 1, with what to do."""
    fake.answers[SILENCES] = (409, {"error": "too_many", "say": "There are too many silences.", "fix": "Expire some."})
    result = ask("silence", "add", "a=b", "--for", "2h", "--why", "x", *more)
    assert result.exit_code == 1
    assert "There are too many silences." in result.output
