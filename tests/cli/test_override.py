"""`override` and `swap`: what they ask the daemon for, and what they say of its answer."""

import json
from typing import Any

import pytest

MADE: dict[str, Any] = {
    "id": 7,
    "schedule": "payments-primary",
    "person": "bo",
    "name": "Bo Lindgren",
    "start": "2026-10-24T01:12:00Z",
    "end": "2026-10-24T09:12:00Z",
    "why": "dentist",
    "by": "ana",
}
DONE: dict[str, Any] = {"reason": "added", "at": MADE["start"], "say": "On call: Bo Lindgren …", "overrides": [MADE]}
OVERRIDES = "/api/v1/overrides"


def test_override_is_short_for_add(ask, fake) -> None:
    """`override SCHEDULE PERSON` asks for one; only what was given is sent."""
    fake.answers[OVERRIDES] = (201, DONE)
    result = ask("override", "payments-primary", "bo", "--for", "8h", "--why", "dentist")
    assert result.exit_code == 0
    assert fake.asked == [
        (
            "POST",
            OVERRIDES,
            {"schedule": "payments-primary", "person": "bo", "for": "8h", "why": "dentist", "via": "cli"},
        )
    ]
    assert result.output.splitlines() == [
        "On call: Bo Lindgren …",
        "Take it back with: escalatord override cancel 7",
    ]


def test_add_takes_a_schedule_that_is_called_like_a_verb(ask, fake) -> None:
    """The long way round, with both ends given."""
    fake.answers[OVERRIDES] = (201, DONE)
    ask("override", "add", "list", "bo", "--from", "2026-12-24 08:00", "--to", "2026-12-27 08:00", "--json")
    assert fake.asked[0][2] == {
        "schedule": "list", "person": "bo", "from": "2026-12-24 08:00", "to": "2026-12-27 08:00", "via": "cli"
    }  # fmt: skip


@pytest.mark.parametrize("given", [[], ["--to", "2026-12-27 08:00", "--for", "8h"]], ids=["neither", "both"])
def test_override_says_how_long_in_one_way(ask, fake, given) -> None:
    """Usage is 2, and nobody is asked."""
    result = ask("override", "payments-primary", "bo", *given)
    assert (result.exit_code, fake.asked) == (2, [])
    assert "--to TIME or --for DURATION" in result.output


def test_list_shows_numbers_of_those_that_can_be_cancelled(ask, fake) -> None:
    """One that stands in the rules has none."""
    filed = {**MADE, "id": None, "by": "", "why": "Mar is away"}
    fake.answers[OVERRIDES] = (200, {"at": MADE["start"], "overrides": [filed, MADE]})
    result = ask("override", "list", "payments-primary")
    assert fake.asked[0][1] == f"{OVERRIDES}?schedule=payments-primary"
    assert result.output.splitlines() == [
        "at 2026-10-24 01:12:00 UTC",
        "  rules  payments-primary  bo  2026-10-24 01:12 to 2026-10-24 09:12  Mar is away",
        "  7      payments-primary  bo  2026-10-24 01:12 to 2026-10-24 09:12  dentist      by ana",
    ]
    fake.answers[OVERRIDES] = (200, {"at": MADE["start"], "overrides": []})
    assert ask("override", "list").output.splitlines()[1] == "  no overrides"
    assert json.loads(ask("override", "list", "--json").output)["overrides"] == []


def test_cancel_names_a_number(ask, fake) -> None:
    """It says what ended; a number that is none is usage, one that is nobody's is a no."""
    fake.answers[f"{OVERRIDES}/7/cancel"] = (200, {**DONE, "reason": "cancelled", "say": "Cancelled: …"})
    assert ask("override", "cancel", "7").output == "Cancelled: …\n"
    assert ask("override", "cancel", "seven").exit_code == 2
    assert ask("override", "cancel", "8").exit_code == 1


def test_swap_asks_for_both_at_once(ask, fake) -> None:
    """Two people, one request."""
    fake.answers["/api/v1/swaps"] = (201, {**DONE, "overrides": [MADE, {**MADE, "id": 8}]})
    result = ask("swap", "payments-primary", "ana", "bo", "--after", "2026-12-01 00:00")
    assert result.exit_code == 0
    assert fake.asked[0][2] == {
        "schedule": "payments-primary", "person": "ana", "with": "bo", "after": "2026-12-01 00:00", "via": "cli"
    }  # fmt: skip
    assert "escalatord override cancel 7 and escalatord override cancel 8" in result.output


@pytest.mark.parametrize("as_json", [False, True])
def test_a_swap_that_cannot_be_is_a_no(ask, fake, as_json: bool) -> None:
    """Exit 1 with the daemon's sentence and what to do."""
    fake.answers["/api/v1/swaps"] = (409, {"error": "overlap", "say": "Both at once.", "fix": "Add overrides."})
    result = ask("swap", "payments-primary", "ana", "bo", *(["--json"] if as_json else []))
    assert result.exit_code == 1
    assert ("overlap" if as_json else "Both at once. Add overrides.") in result.output
