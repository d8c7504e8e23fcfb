"""Overrides, swaps and calendars over HTTP: in force at once, refused with a sentence, and never without a name."""

from datetime import timedelta

import icalendar
import pytest

from escalatord.core.policy import Target, TargetKind
from escalatord.core.roster import resolve
from escalatord.core.ruleset import World
from escalatord.engine.wishes import OverrideReason
from escalatord.web.duty_api import calendar_token
from escalatord.web.overriding import DONE, STATUS, WHY_NOT
from tests.fakes.web_engine import EXTERNAL_URL, SECRET, START, Night

OVERRIDES, SWAPS = "/api/v1/overrides", "/api/v1/swaps"
BO = {"schedule": "payments-primary", "person": "bo"}


async def ask(world: Night, path: str, content: dict[str, object], **headers: str) -> tuple[int, dict[str, object]]:
    """Post JSON and return status and answer."""
    answer = await world.client.post(path, json=content, headers=headers)
    return answer.status, await answer.json()


async def on_call(world: Night, schedule: str = "payments-primary", at: str = "") -> list[str]:
    """Return who is on call as the API says."""
    content = await (await world.client.get("/api/v1/oncall" + (f"?at={at}" if at else ""))).json()
    (found,) = (item for item in content["schedules"] if item["name"] == schedule)
    return [turn["person"] for turn in found["people"]]


@pytest.mark.asyncio
async def test_an_override_pages_somebody_else_at_once(world: Night):
    """The next incident goes to whoever stands in."""
    assert await on_call(world) == ["ana"]
    status, content = await ask(world, OVERRIDES, {**BO, "for": "8h", "why": " the\ndentist "})
    assert (status, content["reason"]) == (201, "added")
    assert content["overrides"] == [
        {
            "id": 1, **BO, "name": "Bo Lindgren", "start": "2026-10-24T01:11:14Z", "end": "2026-10-24T09:11:14Z",
            "why": "the dentist", "by": "local",
        }
    ]  # fmt: skip
    assert content["say"] == (
        "On call: Bo Lindgren in payments-primary from 2026-10-24 03:11:14 CEST to 2026-10-24 11:11:14 CEST."
    )
    assert await on_call(world) == ["bo"]
    inner = world.engine.engine.world
    found = resolve([Target(TargetKind.ONCALL, "payments-primary")], inner, START, ("sms",))
    assert [candidate.person for candidate in found.people] == ["bo"]
    assert isinstance(inner, World)


@pytest.mark.asyncio
async def test_times_are_the_schedules_unless_they_say_otherwise(world: Night):
    """`from` takes the earlier, `to` the later reading of an hour that happens twice."""
    content = {**BO, "from": "2026-10-25 02:30", "to": "2026-10-25T02:30"}
    _, answer = await ask(world, OVERRIDES, content)
    (made,) = answer["overrides"]
    assert (made["start"], made["end"]) == ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")
    _, answer = await ask(world, OVERRIDES, {**BO, "from": "2026-12-24T07:00:00Z", "to": "2026-12-25 03:00 Asia/Tokyo"})
    assert answer["overrides"][0]["end"] == "2026-12-24T18:00:00Z"


@pytest.mark.asyncio
async def test_overrides_are_listed_with_those_of_the_rules(world: Night):
    """By start; what is over is left out; `schedule` filters."""
    await ask(world, OVERRIDES, {**BO, "for": "8h"})
    world.clock.move(hours=1)
    found = (await (await world.client.get(OVERRIDES)).json())["overrides"]
    assert [(one["id"], one["schedule"]) for one in found] == [(1, "payments-primary"), (None, "managers")]
    only = (await (await world.client.get(f"{OVERRIDES}?schedule=managers")).json())["overrides"]
    assert [one["person"] for one in only] == ["ivo"]
    world.clock.move(days=100)
    assert (await (await world.client.get(OVERRIDES)).json())["overrides"] == []


@pytest.mark.asyncio
async def test_an_override_is_cancelled(world: Night):
    """Whoever had duty before has it again; a number that is none is 404."""
    await ask(world, OVERRIDES, {**BO, "for": "8h"})
    status, content = await ask(world, f"{OVERRIDES}/1/cancel", {})
    assert (status, content["reason"], await on_call(world)) == (200, "cancelled", ["ana"])
    for number in ("1", "9" * 30, "x", "-1"):
        status, content = await ask(world, f"{OVERRIDES}/{number}/cancel", {})
        assert (status, content["error"]) == (404, "unknown_override")


@pytest.mark.asyncio
async def test_two_people_swap_over_http(world: Night):
    """Their next shifts, both or neither."""
    content = {"schedule": "platform-primary", "person": "cy", "with": "sam", "after": "2026-10-26 00:00"}
    status, answer = await ask(world, SWAPS, content)
    assert (status, answer["reason"]) == (201, "swapped")
    assert [one["person"] for one in answer["overrides"]] == ["sam", "cy"]
    for one in answer["overrides"]:
        assert await on_call(world, "platform-primary", one["start"]) == [one["person"]]
    status, answer = await ask(world, SWAPS, {**content, "with": "cy"})
    assert (status, answer["error"], answer["say"]) == (409, "same_person", "Nobody can swap with themselves.")


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        ({"person": "bo", "for": "8h"}, 400, "E102"),
        ({"schedule": "payments-primary", "for": "8h"}, 400, "E102"),
        (BO, 400, "E102"),
        ({**BO, "for": "soon"}, 400, "E101"),
        ({**BO, "to": "soon"}, 400, "E101"),
        ({**BO, "from": 7, "for": "8h"}, 400, "E101"),
        ({**BO, "for": "8h", "via": "sms"}, 400, "E101"),
        ({**BO, "to": "2026-10-24T01:11:14Z"}, 400, "ends_first"),
        ({**BO, "from": "2026-01-01 00:00", "to": "2026-02-01 00:00"}, 400, "past"),
        ({**BO, "for": "400d"}, 400, "too_long"),
        ({**BO, "schedule": "nobodys", "for": "8h"}, 404, "unknown_schedule"),
        ({**BO, "person": "nobody", "for": "8h"}, 404, "unknown_person"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_is_refused_with_a_sentence(world: Night, content, status, error):
    """The error is stable, the sentence is for humans, and nothing is made."""
    found, answer = await ask(world, OVERRIDES, content)
    assert (found, answer["error"]) == (status, error)
    assert answer["say"].strip()
    assert await on_call(world) == ["ana"]


def test_every_reason_has_a_status_or_is_done():
    """No reason is left without words."""
    assert set(OverrideReason) == DONE | set(STATUS)
    assert set(STATUS) == set(WHY_NOT)


@pytest.mark.asyncio
async def test_wishes_are_by_role_and_by_name(guarded: Night):
    """A viewer looks; a responder makes overrides in their own name; only an admin in somebody else's."""
    content = {**BO, "for": "8h"}
    assert (await ask(guarded, OVERRIDES, content, **guarded.bearer("viewer")))[0] == 403
    _, made = await ask(guarded, OVERRIDES, content, **guarded.bearer("responder"))
    assert made["overrides"][0]["by"] == "a-responder"
    assert (await ask(guarded, OVERRIDES, {**content, "by": "cy"}, **guarded.bearer("responder")))[0] == 403
    _, made = await ask(guarded, OVERRIDES, {**content, "by": "cy"}, **guarded.bearer("admin"))
    assert made["overrides"][0]["by"] == "cy"
    entries = await guarded.engine.read(lambda tx: [row.entry for row in tx.journal_of(0)])
    assert [(entry.kind, entry.actor) for entry in entries] == [
        ("override_added", "a-responder"),
        ("override_added", "cy"),
    ]


@pytest.mark.asyncio
async def test_on_call_tells_shifts_gaps_and_shadows(world: Night):
    """Gaps of the next week always, shifts when days are asked for."""
    plain = (await (await world.client.get("/api/v1/oncall")).json())["schedules"]
    assert all(set(item) == {"name", "timezone", "people", "shadows", "gaps"} for item in plain)
    full = (await (await world.client.get("/api/v1/oncall?days=2")).json())["schedules"]
    (platform,) = (item for item in full if item["name"] == "platform-primary")
    assert platform["shifts"][0]["start"] == "2026-10-24T01:11:14Z"
    assert platform["shifts"][-1]["end"] == "2026-10-26T01:11:14Z"
    assert (await world.client.get("/api/v1/oncall?days=x")).status == 400


# ----------------------------------------------------------------------------------------------------- calendars


@pytest.mark.asyncio
async def test_a_calendar_is_subscribed_to_by_its_address(guarded: Night):
    """The address is made for whoever may look, and then works without any login."""
    answer = await guarded.client.get("/api/v1/calendars/platform-primary", headers=guarded.bearer("viewer"))
    content = await answer.json()
    token = calendar_token(SECRET, "platform-primary")
    assert content["url"] == f"{EXTERNAL_URL}/calendars/platform-primary.ics?token={token}"
    answer = await guarded.client.get(
        f"/calendars/platform-primary.ics?token={token}", headers={"X-Forwarded-For": "203.0.113.9"}
    )
    assert (answer.status, answer.content_type, answer.charset) == (200, "text/calendar", "utf-8")
    assert answer.headers["Content-Disposition"] == 'inline; filename="platform-primary.ics"'
    text = await answer.text()
    assert text == content["ics"]
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert events[0]["DTSTART"].dt == START - timedelta(days=7)
    assert {str(event["SUMMARY"]) for event in events} == {"Cy Novak", "Sam Okoye", "Noa Levi", "Kai Mori"}


@pytest.mark.asyncio
async def test_a_calendar_holds_what_was_made_at_run_time(world: Night):
    """Overrides and shadows included."""
    await ask(world, OVERRIDES, {**BO, "for": "8h", "why": "dentist"})
    content = await (await world.client.get("/api/v1/calendars/payments-primary")).json()
    assert "DESCRIPTION:payments-primary: override: dentist\r\n" in content["ics"]


@pytest.mark.parametrize(
    "address",
    [
        "/calendars/managers.ics",
        "/calendars/managers.ics?token=",
        "/calendars/managers.ics?token=%ff%00",
        f"/calendars/managers.ics?token={calendar_token(SECRET, 'payments-primary')}",
        f"/calendars/nobodys.ics?token={calendar_token(SECRET, 'nobodys')}",
    ],
    ids=["no token", "empty", "nonsense", "of another schedule", "of no schedule"],
)
@pytest.mark.asyncio
async def test_a_calendar_is_not_there_for_strangers(world: Night, address: str):
    """Whether a schedule exists is not told to whoever guesses."""
    answer = await world.client.get(address)
    assert (answer.status, (await answer.json())["error"]) == (404, "unknown_calendar")


@pytest.mark.asyncio
async def test_no_calendar_of_no_schedule(world: Night):
    """An unknown schedule is 404."""
    answer = await world.client.get("/api/v1/calendars/nobodys")
    assert (answer.status, (await answer.json())["error"]) == (404, "unknown_schedule")
