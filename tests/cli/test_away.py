"""`away`: what it asks the daemon for, and what it says of its answer."""

import json
from typing import Any

import pytest

MADE: dict[str, Any] = {
    "person": "ana",
    "name": "Ana Ruiz",
    "start": "2026-10-24T01:12:00Z",
    "end": "2026-10-24T16:00:00Z",
    "why": "dentist",
    "by": "bo",
}
DONE: dict[str, Any] = {"reason": "added", "at": MADE["start"], "say": "Away: Ana Ruiz …", "away": [MADE]}
AWAY = "/api/v1/away"


def test_away_is_short_for_add(ask, fake) -> None:
    """`away PERSON` asks for one; only what was given is sent."""
    fake.answers[AWAY] = (201, DONE)
    result = ask("away", "ana", "--until", "18:00", "--why", "dentist")
    assert (result.exit_code, result.output) == (0, "Away: Ana Ruiz …\n")
    assert fake.asked == [("POST", AWAY, {"person": "ana", "to": "18:00", "why": "dentist", "via": "cli"})]


def test_add_takes_a_person_who_is_called_like_a_verb(ask, fake) -> None:
    """The long way round, from then on, for so long, for tools."""
    fake.answers[AWAY] = (201, DONE)
    result = ask("away", "add", "list", "--from", "2026-12-24 08:00", "--for", "3d", "--json")
    assert fake.asked[0][2] == {"person": "list", "from": "2026-12-24 08:00", "for": "3d", "via": "cli"}
    assert json.loads(result.output)["reason"] == "added"


@pytest.mark.parametrize("given", [[], ["--until", "18:00", "--for", "8h"]], ids=["neither", "both"])
def test_away_says_how_long_in_one_way(ask, fake, given) -> None:
    """Nothing is asked of the daemon otherwise."""
    result = ask("away", "ana", *given)
    assert (result.exit_code, fake.asked) == (2, [])
    assert "--until TIME or --for DURATION" in result.output


def test_list_shows_who_noted_it(ask, fake) -> None:
    """What stands in the rules says so; of nobody it says that."""
    filed = {**MADE, "person": "bo", "by": None, "why": "holidays"}
    fake.answers[AWAY] = (200, {"at": MADE["start"], "away": [filed, MADE]})
    assert ask("away", "list").output.splitlines() == [
        "at 2026-10-24 01:12:00 UTC",
        "  bo   2026-10-24 01:12 to 2026-10-24 16:00  holidays  rules",
        "  ana  2026-10-24 01:12 to 2026-10-24 16:00  dentist   by bo",
    ]
    fake.answers[AWAY] = (200, {"at": MADE["start"], "away": []})
    assert ask("away", "list", "ana").output.splitlines()[1] == "  nobody is away"
    assert fake.asked[-1][1] == f"{AWAY}?person=ana"
    assert json.loads(ask("away", "list", "--json").output)["away"] == []


@pytest.mark.parametrize("as_json", [False, True])
def test_cancel_says_that_somebody_is_back(ask, fake, as_json: bool) -> None:
    """Exit 1 with the daemon's sentence when there was nothing to take back."""
    fake.answers[f"{AWAY}/ana/cancel"] = (200, {**DONE, "reason": "cancelled", "say": "No longer away: …"})
    flags = ["--json"] if as_json else []
    assert ask("away", "cancel", "ana", *flags).exit_code == 0
    fake.answers[f"{AWAY}/ana/cancel"] = (409, {"error": "not_away", "say": "Nothing was noted.", "fix": "List."})
    result = ask("away", "cancel", "ana", *flags)
    assert result.exit_code == 1
    assert ("not_away" if as_json else "Nothing was noted. List.") in result.output
