"""What the API and the pages say of filters, several acks and tasks."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from escalatord.core.away import Away
from escalatord.core.policy import (
    Action,
    FilterKind,
    LastResort,
    Policy,
    Prefer,
    Target,
    TargetFilter,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.web.auth import CSRF_FIELD
from tests.fakes.duty import utc
from tests.fakes.web_engine import Night, night

TEAM = Target(TargetKind.TEAM, "payments", (TargetFilter(FilterKind.LANGUAGE, "en"),))
NOT_BO = Target(TargetKind.TEAM, "payments", (TargetFilter(FilterKind.LANGUAGE, "es"),))


@pytest_asyncio.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon whose catch-all filters, needs two acks and asks for a task."""
    async with night(tmp_path) as made:
        inner = made.engine.engine
        rules = inner.ruleset
        usual = rules.contact_plans["usual"]
        tiers = (
            Tier(
                name="team", page=(NOT_BO,), within_seconds=600, plan=usual, need=2,
                on_enter=(Action.OPEN_RCA, Action.FREEZE_CHANGES),
            ),
            Tier(name="one", page=(TEAM,), within_seconds=600, plan=usual, prefer=Prefer.LEAST_PAGED_24H),
        )  # fmt: skip
        ladder = TrackPolicy(name="technical", kind=TrackKind.TECHNICAL, tiers=tiers)
        resort = LastResort(page=(Target(TargetKind.PERSON, "vera"),), plan=usual)
        policy = Policy(
            name="platform", hash="choosing", tracks=(ladder,), last_resort=resort,
            owner=Target(TargetKind.PERSON, "vera"),
        )  # fmt: skip
        people = {**rules.people, "mia": replace(rules.people["mia"], away=(_holidays(),))}
        await inner.reload(replace(rules, policies={**rules.policies, "platform": policy}, people=people))
        yield made


def _holidays() -> Away:
    return Away(person="mia", start=utc("2026-10-01 00:00"), end=utc("2026-11-01 00:00"))


async def look(world: Night, number: int) -> dict[str, object]:
    """Return an incident as the API tells it."""
    found: dict[str, object] = await (await world.client.get(f"/api/v1/incidents/{number}")).json()
    return found


async def say(world: Night, number: int, verb: str, **content: object) -> tuple[int, dict[str, object]]:
    """Answer for somebody; return status and what happened."""
    answer = await world.client.post(f"/api/v1/incidents/{number}/{verb}", json=content)
    return answer.status, await answer.json()


@pytest.mark.asyncio
async def test_explain_names_who_was_looked_at_and_why_they_were_not_paged(plain: Night):
    """Also by which figures a tier chose."""
    number = await plain.incident("odd")
    why = (await look(plain, number))["explanation"]["why_this_person"]
    assert why[:2] == [
        "Ana Ruiz is team payments & language es, tier 1 of technical",
        "Mia Torres is team payments & language es, tier 1 of technical",
    ]
    assert "Bo Lindgren is not: does not speak es (tier 1)" in why
    await say(plain, number, "next")
    found = await look(plain, number)
    assert (
        "tier 2 chose by pages in 24 h: Bo Lindgren 0, Ana Ruiz 1, Mia Torres 1"
        in (found["explanation"]["why_this_person"])
    )
    assert found["paging"] == ["bo"]
    entered = [entry["say"] for entry in found["timeline"] if entry["kind"] == "tier_entered"]
    assert entered[0].endswith("; not Bo Lindgren: does not speak es")
    assert "pages in 24 h: Bo Lindgren 0" in entered[1]


@pytest.mark.asyncio
async def test_an_ack_of_two_is_told_as_one_of_two(plain: Night):
    """Who acked is no longer being paged; the incident stays open until there are enough."""
    number = await plain.incident("odd")
    status, content = await say(plain, number, "ack", person="ana")
    assert (status, content["reason"], content["changed"]) == (200, "ack_counted", True)
    (track,) = content["incident"]["tracks"]
    assert (track["acks"], track["acks_needed"], content["incident"]["paging"]) == (["ana"], 2, ["mia"])
    assert content["incident"]["state"] == "open"
    (told,) = [e["say"] for e in (await look(plain, number))["timeline"] if e["kind"] == "acknowledged"]
    assert told.endswith("; 1 of 2 needed")
    _, content = await say(plain, number, "ack", person="mia")
    assert (content["reason"], content["incident"]["acknowledged_by"]) == ("acknowledged", "ana")


@pytest.mark.asyncio
async def test_tasks_are_shown_until_a_note_says_that_they_are_done(plain: Night):
    """Also when the incident is over; a word that names no task is refused."""
    number = await plain.incident("odd")
    actions = (await look(plain, number))["actions"]
    assert [(one["action"], one["owner"], one["done_at"]) for one in actions] == [
        ("open_rca", "person vera", None),
        ("freeze_changes", "person vera", None),
    ]
    status, content = await say(plain, number, "note", text="done", done="<script>")
    assert (status, content["error"], content["at"]) == (400, "E101", "/done")
    await say(plain, number, "resolve", person="vera")
    status, content = await say(plain, number, "note", text="in the wiki", done="open_rca", person="vera")
    assert (status, content["incident"]["actions"][0]["done_by"]) == (200, "Vera Holm")
    text = await (await plain.client.get(f"/incidents/{number}")).text()
    assert "done by Vera Holm" in text
    assert 'name="done" value="freeze_changes"' in text
    assert 'name="done" value="open_rca"' not in text
    asked = [e["say"] for e in (await look(plain, number))["timeline"] if e["kind"] in ("on_enter", "noted")]
    assert asked == ["Asks of person vera: open rca, freeze changes", "Vera Holm noted (open rca is done): in the wiki"]


@pytest.mark.asyncio
async def test_a_task_is_done_by_a_form_of_our_own(plain: Night):
    """With the token of this browser; what is typed is shown as it was typed."""
    number = await plain.incident("odd")
    text = await (await plain.client.get(f"/incidents/{number}")).text()
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
    assert csrf is not None
    fields = {CSRF_FIELD: csrf[1], "done": "open_rca", "text": "<b>written</b>"}
    answer = await plain.client.post(f"/incidents/{number}/note", data=fields, allow_redirects=False)
    assert answer.status == 303
    text = await (await plain.client.get(f"/incidents/{number}")).text()
    assert "&lt;b&gt;written&lt;/b&gt;" in text
    assert (await plain.client.post(f"/incidents/{number}/note", data=fields | {CSRF_FIELD: "0"})).status == 403


@pytest.mark.asyncio
async def test_the_ack_page_says_that_more_are_needed(plain: Night):
    """Who has acked sees how many are missing, and can still take it back; nothing more is sent to them."""
    number = await plain.incident("odd")
    sms = next(one for one in await plain.claim(number) if (one.row.person, one.row.channel) == ("ana", "sms"))
    address = f"/a/{sms.link_token}"

    async def press(action: str) -> str:
        text = await (await plain.client.get(address)).text()
        nonce = re.search(r'name="nonce" value="([^"]+)"', text)
        assert nonce is not None
        return await (await plain.client.post(address, data={"nonce": nonce[1], "action": action})).text()

    text = await press("ack")
    assert "Your ack counts, and more are needed" in text
    assert "1 of 2 needed" in text
    assert "Ana has acked, 1 of 2 needed. Mia is being paged" in text
    assert 'value="ack"' not in text
    assert 'value="undo"' in text
    plain.clock.move(minutes=4)
    await plain.due()
    assert {one.row.person for one in await plain.claim(number)} - {""} == {"mia"}
    text = await press("undo")
    assert "open again" in text
    assert 'value="ack"' in text
    assert {one.row.person for one in await plain.claim(number)} - {""} == {"ana"}
