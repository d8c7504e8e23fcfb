"""Moving incidents onto the rules in force: by tools and by the button, for admins alone."""

import re
from dataclasses import replace

import pytest

from escalatord.core.policy import OfficeHours
from escalatord.web.auth import CSRF_FIELD
from tests.fakes.web_engine import Night
from tests.fakes.world import OFFICE

EDITED = {"stand_down": False}


async def new_rules(world: Night, **changes: object) -> None:
    """Put rules in force in which every policy was edited."""
    ruleset = world.engine.engine.ruleset
    edited = {
        name: replace(policy, hash=f"{policy.hash[:10]}edited", **(changes or EDITED))
        for name, policy in ruleset.policies.items()
    }
    await world.engine.engine.reload(replace(ruleset, policies=edited, hash="new"))


async def post(world: Night, path: str, role: str = "", **content: object):
    """Post JSON and return (status, content)."""
    headers = world.bearer(role) if role else {}
    answer = await world.client.post(f"/api/v1{path}", json=content, headers=headers)
    return answer.status, await answer.json()


@pytest.mark.asyncio
async def test_one_incident_is_moved(world: Night):
    """200 with what it came to, 409 when it follows the rules already, 404 when there is none."""
    number = await world.incident()
    assert (await post(world, f"/incidents/{number}/rebase"))[0] == 409
    await new_rules(world)
    status, content = await post(world, f"/incidents/{number}/rebase", person="vera")
    assert (status, content["reason"], content["changed"]) == (200, "rebased", True)
    status, content = await post(world, f"/incidents/{number}/rebase")
    assert (status, content["reason"]) == (409, "same_policy")
    assert (await post(world, "/incidents/99/rebase"))[0] == 404
    timeline = (await (await world.client.get(f"/api/v1/incidents/{number}")).json())["timeline"]
    said = next(entry["say"] for entry in timeline if entry["kind"] == "rebased")
    assert said.startswith("Vera Holm moved it onto the rules in force: policy ")
    assert "stand down: yes" in said


@pytest.mark.asyncio
async def test_all_that_follow_other_rules_are_moved(world: Night):
    """Those that do already are not named."""
    numbers = [await world.incident(name, service=name) for name in ("a", "b")]
    await new_rules(world)
    status, content = await post(world, "/rebase")
    assert (status, content["rules"], content["moved"]) == (200, "new", [f"INC-{number}" for number in numbers])
    assert (await post(world, "/rebase"))[1]["moved"] == []


@pytest.mark.parametrize("path", ["/incidents/1/rebase", "/rebase"])
@pytest.mark.asyncio
async def test_only_an_admin_may(guarded: Night, path):
    """Viewers and responders are refused, and nothing is committed."""
    for role in ("viewer", "responder"):
        status, _ = await post(guarded, path, role)
        assert status == 403
    assert guarded.engine.commands == []


@pytest.mark.parametrize("content", [b"[1]", b"nonsense", b'{"person": 7}'])
@pytest.mark.asyncio
async def test_bodies_that_are_none_are_refused(world: Night, content: bytes):
    """Anything but a small object of texts."""
    for path in ("/api/v1/rebase", "/api/v1/incidents/1/rebase"):
        answer = await world.client.post(path, data=content, headers={"Content-Type": "application/json"})
        assert answer.status == 400


async def page(world: Night, path: str) -> str:
    """Return a page's text."""
    return await (await world.client.get(path)).text()


def token_in(text: str) -> str:
    """Return the form token of a page."""
    return re.search(rf'name="{CSRF_FIELD}" value="([^"]+)"', text)[1]


@pytest.mark.asyncio
async def test_the_board_says_how_many_follow_old_rules_and_the_button_moves_one(world: Night):
    """A banner with the verb; on the incident a button, gone when it has moved."""
    number = await world.incident()
    assert "before the rules changed" not in await page(world, "/")
    await new_rules(world)
    assert "1 open incident follows policies as they were before the rules changed" in await page(world, "/")
    text = await page(world, f"/incidents/{number}")
    assert "Move it onto the rules in force" in text
    path = f"/incidents/{number}/rebase"
    forged = await world.client.post(path, data={CSRF_FIELD: "x"}, allow_redirects=False)
    assert forged.status == 403
    done = await world.client.post(path, data={CSRF_FIELD: token_in(text)}, allow_redirects=False)
    assert (done.status, done.headers["Location"]) == (303, f"/incidents/{number}?said=rebased")
    after = await page(world, f"/incidents/{number}?said=rebased")
    assert "Moved onto the rules in force" in after
    assert "Move it onto" not in after
    missing = await world.client.post("/incidents/99/rebase", data={CSRF_FIELD: token_in(text)})
    assert missing.status == 404


@pytest.mark.asyncio
async def test_the_harm_is_stopped_by_button_and_by_tool(world: Night):
    """The page shows who said so; saying it twice is a 409; hostile words stay words."""
    number = await world.incident()
    text = await page(world, f"/incidents/{number}")
    assert "The harm is stopped" in text
    done = await world.client.post(
        f"/incidents/{number}/mitigated", data={CSRF_FIELD: token_in(text)}, allow_redirects=False
    )
    assert done.headers["Location"].endswith("?said=mitigated")
    assert "Mitigated by local" in await page(world, f"/incidents/{number}")
    assert (await post(world, f"/incidents/{number}/mitigated"))[0] == 409
    other = await world.incident("cpu", service="checkout")
    status, content = await post(world, f"/incidents/{other}/mitigated", text="<script>alert(1)</script>")
    assert (status, content["incident"]["mitigated_by"]) == (200, "local")
    assert "<script>alert(1)" not in await page(world, f"/incidents/{other}")


@pytest.mark.asyncio
async def test_a_held_incident_is_shown_as_held(world: Night):
    """Board, page and API say until when and by whose hours; nobody is said to be paged."""
    ruleset = world.engine.engine.ruleset
    hours = OfficeHours(calendar="work")
    held = {
        name: replace(policy, hash=f"{policy.hash[:10]}office", hours=hours)
        for name, policy in ruleset.policies.items()
    }
    await world.engine.engine.reload(replace(ruleset, policies=held, calendars={"work": OFFICE}))
    number = await world.incident("disk")
    content = await (await world.client.get(f"/api/v1/incidents/{number}")).json()
    assert (content["held_until"], content["paging"]) == ("2026-10-26T09:00:00Z", [])
    assert content["next"][0]["what"].endswith(f"held until the hours of policy {content['policy']} begin")
    said = f"Held until Mon 09:00 UTC by the hours of policy {content['policy']}"
    assert said in await page(world, "/")
    text = await page(world, f"/incidents/{number}")
    assert said in text
    assert "held, paged in" in text
    told = next(entry["say"] for entry in content["timeline"] if entry["kind"] == "held")
    assert told == f"Held until 26 Oct 09:00 UTC by the hours of policy {content['policy']} (calendar work)"
