"""Silences over HTTP: in force at once, told with who and why, refused with a sentence, and never for a viewer."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from escalatord.core.incident import Via
from escalatord.engine.wishes import SilenceReason
from escalatord.web.silencing import DONE, STATUS, WHY_NOT
from tests.fakes.web_engine import RULES, TOKENS, Night, night

SILENCES = "/api/v1/silences"
WISH = {"matchers": 'alertname="DiskWillFill"', "for": "2h", "why": "reindexing"}
EVIL = '<script>alert("x")</script>'


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with the shipped rules."""
    async with night(tmp_path) as made:
        yield made


def bearer(role: str) -> dict[str, str]:
    """Return the header of a token with a role."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}


async def ask(world: Night, content: object, **more) -> tuple[int, dict]:
    """Ask for a silence and return the status and the answer."""
    answer = await world.client.post(SILENCES, json=content, **more)
    return answer.status, await answer.json()


async def expire(world: Night, number: object, **more) -> tuple[int, dict]:
    """End a silence."""
    answer = await world.client.delete(f"{SILENCES}/{number}", **more)
    return answer.status, await answer.json()


async def listed(world: Night) -> dict:
    """Return what mutes."""
    return await (await world.client.get(SILENCES)).json()


async def fire(world: Night, **labels: str) -> dict:
    """Let the example of a full disk fire; return what became of it."""
    body = json.loads((RULES / "payloads" / "disk-full.json").read_text())
    body["alerts"][0]["labels"].update(labels)
    body["alerts"][0]["fingerprint"] = "f-" + "-".join(labels.values())
    answer = await world.client.post("/in/alertmanager", json=body)
    return (await answer.json())["accepted"][0]


@pytest.mark.asyncio
async def test_a_silence_is_made_and_holds(world: Night):
    """201 with what it says in words; the next alert that matches pages nobody, and is found with who and why."""
    status, made = await ask(world, WISH)
    assert (status, made["reason"], made["silence"]["id"]) == (201, "added", 1)
    assert made["say"] == (
        'Silence 1: alertname="DiskWillFill" is quiet until 2026-10-24 03:11 UTC. 0 alerts that match fire now. '
        "Exceptions and statutory clocks still page."
    )
    accepted = await fire(world)
    assert (accepted["incident"], accepted["reason"]) == (None, "suppressed")
    alert = await (await world.client.get(accepted["explain"])).json()
    assert (alert["severity"], alert["verdict"]["severity"]) == (None, "warning")
    assert alert["suppressed"] == {
        "kind": "silence", "by": "local", "why": "reindexing", "what": 'alertname="DiskWillFill"',
        "since": "2026-10-24T01:11:14Z", "until": "2026-10-24T03:11:14Z", "incident": None,
        "say": "silence 1 (reindexing, by local)",
    }  # fmt: skip
    found = await listed(world)
    mine = found["silences"][0]
    assert (mine["id"], mine["active"], mine["holds_back"]) == (1, True, 1)
    assert [(one["title"], one["severity"]) for one in found["alerts"]] == [(alert["title"], "warning")]


@pytest.mark.asyncio
async def test_what_the_rules_mute_is_listed_too(world: Night):
    """Windows with their next time, inhibitions with what they wait for; an inhibition mutes while it holds back."""
    found = (await listed(world))["silences"]
    assert [(one["id"], one["kind"], one["active"], one["when"]) for one in found] == [
        (None, "inhibit", False, "disk-filling"),
        (None, "maintenance", False, None),
    ]
    assert (found[1]["start"], found[1]["end"], found[1]["recurs"]) == (
        "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", True,
    )  # fmt: skip
    await fire(world)
    await fire(world, alertname="PodRestarted")
    found = (await listed(world))["silences"]
    assert (found[0]["kind"], found[0]["active"], found[0]["holds_back"]) == ("inhibit", True, 1)
    world.clock.move(days=1)
    assert [one["kind"] for one in (await listed(world))["silences"] if one["active"]] == ["inhibit", "maintenance"]


@pytest.mark.asyncio
async def test_a_silence_is_ended(world: Night):
    """What it held back is judged with the commit; a number that is none is 404."""
    await ask(world, WISH)
    await fire(world)
    status, done = await expire(world, 1)
    assert (status, done["reason"], done["firing"]) == (200, "expired", 1)
    assert done["say"] == "Silence 1 is over: 1 alert that it held back is judged again now."
    assert [one["id"] for one in (await listed(world))["silences"]] == [None, None]
    for number in ("1", "9" * 30, "x", "-1"):
        status, done = await expire(world, number)
        assert (status, done["error"]) == (404, "unknown_silence")
    await ask(world, {**WISH, "from": "2026-10-25 22:00", "to": "2026-10-26 04:00", "for": "", "kind": "maintenance"})
    assert (await expire(world, 2))[1]["say"] == "Maintenance 2 is over: it held nothing back."


@pytest.mark.asyncio
async def test_it_says_what_is_open_already(world: Night):
    """And whether that goes on."""
    await fire(world)
    _, blunt = await ask(world, WISH)
    assert "1 alert that matches fires now. In an open incident already: 1; they stay in it" in blunt["say"]
    _, sharp = await ask(world, {**WISH, "apply_to_open": True})
    assert "In an open incident already: 1; they leave it." in sharp["say"]
    _, planned = await ask(world, {**WISH, "from": "2026-10-25 22:00"})
    assert "is quiet from 2026-10-25 22:00 UTC until 2026-10-26 00:00 UTC" in planned["say"]


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        ({"for": "2h", "why": "x"}, 400, "E102"),
        ({**WISH, "matchers": "service"}, 400, "E101"),
        ({**WISH, "matchers": "a=" + "b" * 5000}, 400, "E103"),
        ({**WISH, "matchers": ",".join(["a=b"] * 500)}, 400, "E101"),
        ({**WISH, "matchers": 7}, 400, "E101"),
        ({**WISH, "for": "soon"}, 400, "E101"),
        ({"matchers": "a=b", "why": "x"}, 400, "E102"),
        ({**WISH, "from": "soon"}, 400, "E101"),
        ({**WISH, "kind": "inhibit"}, 400, "E101"),
        ({**WISH, "apply_to_open": "yes"}, 400, "E101"),
        ({**WISH, "why": "x" * 501}, 400, "E103"),
        ({**WISH, "why": ""}, 400, "no_why"),
        ({"matchers": "a=b", "why": "x", "to": "2026-10-24T01:11:14Z"}, 400, "ends_first"),
        ({**WISH, "from": "2026-01-01 00:00"}, 400, "past"),
        ({**WISH, "for": "31d"}, 400, "too_long"),
        ({**WISH, "from": "2028-10-24 00:00"}, 400, "too_far"),
        ({**WISH, "matchers": 'env!="prod"'}, 400, "matches_all"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_is_refused_with_a_sentence(world: Night, content, status, error):
    """The error is stable, the sentence is for humans, and nothing is muted."""
    found, answer = await ask(world, content)
    assert (found, answer["error"]) == (status, error)
    assert answer["say"].strip()
    assert all(one["id"] is None for one in (await listed(world))["silences"])


def test_every_reason_is_done_or_has_words():
    """And too many is a conflict."""
    assert set(WHY_NOT) | DONE == set(SilenceReason)
    assert STATUS[SilenceReason.TOO_MANY] == 409


@pytest.mark.asyncio
async def test_whoever_may_not_respond_may_not_mute(world: Night):
    """A viewer looks; a responder mutes in their own name, an admin in another's."""
    world.give_tokens()
    for role, status in (("viewer", 403), ("responder", 201), ("admin", 201)):
        assert (await ask(world, WISH, headers=bearer(role)))[0] == status
    assert (await expire(world, 1, headers=bearer("viewer")))[0] == 403
    assert (await world.client.get(SILENCES, headers=bearer("viewer"))).status == 200
    status, answer = await ask(world, {**WISH, "by": "bo"}, headers=bearer("responder"))
    assert (status, answer["error"]) == (403, "forbidden")
    assert (await ask(world, {**WISH, "by": "bo", "via": "cli"}, headers=bearer("admin")))[0] == 201
    assert (await expire(world, "1?by=bo", headers=bearer("responder")))[0] == 403
    assert (await expire(world, "1?via=cli", headers=bearer("responder")))[0] == 200
    entries = [row.entry for row in world.store.read(lambda tx: tx.journal_of(0)) if row.entry.kind.startswith("sil")]
    assert [(entry.actor, entry.via) for entry in entries] == [
        ("a-responder", Via.API), ("a-admin", Via.API), ("bo", Via.CLI), ("a-responder", Via.CLI),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_a_foreign_page_mutes_nothing(world: Night):
    """At this machine too: what a browser says another site wants is refused, for making and for ending."""
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}
    assert (await ask(world, WISH, headers=foreign))[0] == 401
    await ask(world, WISH)
    assert (await expire(world, 1, headers=foreign))[0] == 401
    assert (await listed(world))["silences"][0]["id"] == 1


@pytest.mark.asyncio
async def test_bodies_are_small_and_objects(world: Night):
    """A flood is cut at its first octets; no JSON is a sentence."""
    answer = await world.client.post(SILENCES, data=b"x" * (65 * 1024))
    assert answer.status == 413
    assert (await ask(world, ["a=b"]))[0] == 400


@pytest.mark.asyncio
async def test_hostile_words_are_only_words(world: Night):
    """A reason, matchers and titles full of markup are JSON text, and never change what is muted."""
    matchers = f"alertname={json.dumps(EVIL)}"
    status, made = await ask(world, {**WISH, "matchers": matchers, "why": EVIL})
    assert (status, made["silence"]["why"], made["silence"]["matchers"]) == (201, EVIL, matchers)
    assert (await fire(world))["incident"] == 1
    assert (await fire(world, alertname=EVIL))["reason"] == "suppressed"
