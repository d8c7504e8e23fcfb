"""What tools ask for and do."""

import pytest

from escalatord.errors import StoreUnavailableError
from tests.fakes.web_engine import START, Night

KEYS = {
    "number",
    "state",
    "severity",
    "service",
    "policy",
    "tier",
    "opened_at",
    "acknowledged_at",
    "acknowledged_by",
    "resolved_at",
    "title",
}


async def post(world: Night, path: str, **content: object):
    """Post JSON and return (status, content)."""
    answer = await world.client.post(f"/api/v1{path}", json=content)
    return answer.status, await answer.json()


@pytest.mark.asyncio
async def test_incidents_are_listed_newest_first(world: Night):
    """Each incident has the keys that tools rely on."""
    await world.incident("disk", service="search")
    await world.incident("cpu", service="checkout")
    content = await (await world.client.get("/api/v1/incidents")).json()
    assert [incident["number"] for incident in content["incidents"]] == [2, 1]
    assert set(content["incidents"][0]) >= KEYS
    assert content["incidents"][0]["opened_at"] == "2026-10-24T01:11:14Z"
    assert content["incidents"][0]["acknowledged_at"] is None


@pytest.mark.asyncio
async def test_incidents_are_filtered_and_paged(world: Night):
    """State, limit and before narrow the list."""
    for name in ("a", "b", "c"):
        await world.incident(name, service=name)
    await post(world, "/incidents/2/ack", person="ana")

    async def numbers(query: str) -> list[int]:
        content = await (await world.client.get(f"/api/v1/incidents?{query}")).json()
        return [incident["number"] for incident in content["incidents"]]

    assert await numbers("state=open") == [3, 1]
    assert await numbers("state=acknowledged") == [2]
    assert await numbers("state=active&limit=2") == [3, 2]
    assert await numbers("before=3&limit=1") == [2]
    assert await numbers("state=resolved") == []
    assert await numbers("state=open&state=acknowledged") == [3, 2, 1]


@pytest.mark.parametrize("query", ["state=nonsense", "limit=many", "limit=-1", "before=1e9", "limit=" + "9" * 40])
@pytest.mark.asyncio
async def test_filters_that_make_no_sense_are_refused(world: Night, query):
    """400 names the parameter."""
    answer = await world.client.get(f"/api/v1/incidents?{query}")
    content = await answer.json()
    assert answer.status == 400
    assert content["at"].startswith("/")


@pytest.mark.asyncio
async def test_one_incident_tells_its_story(world: Night):
    """The detail has a timeline, what is next, its alerts and why."""
    await world.incident("disk", service="search")
    content = await (await world.client.get("/api/v1/incidents/INC-1")).json()
    assert content["timeline"][0]["kind"] == "opened"
    assert all(entry["say"] for entry in content["timeline"])
    assert content["next"]
    assert content["next"][0]["at"] >= "2026-10-24T01:11:14Z"
    assert content["alerts_seen"][0]["labels"]["alertname"] == "disk"
    assert content["explanation"]["why_it_exists"]
    assert content["explanation"]["why_this_person"]


@pytest.mark.parametrize("number", ["9", "INC-9", "nonsense", "0", "9" * 30, "1.0", "-1", "٣"])
@pytest.mark.asyncio
async def test_an_incident_that_is_not_there_is_404(world: Night, number):
    """Numbers of nothing, and things that are no numbers, are answered alike."""
    answer = await world.client.get(f"/api/v1/incidents/{number}")
    assert (answer.status, (await answer.json())["error"]) == (404, "unknown_incident")


@pytest.mark.asyncio
async def test_an_ack_says_what_happened(world: Night):
    """200 with the reason and the incident as it is now."""
    await world.incident()
    status, content = await post(world, "/incidents/1/ack", person="ana", via="cli")
    assert (status, content["reason"], content["changed"]) == (200, "acknowledged", True)
    assert content["incident"]["state"] == "acknowledged"
    assert content["incident"]["acknowledged_by"] == "ana"
    assert content["incident"]["acknowledged_via"] == "cli"


@pytest.mark.asyncio
async def test_a_second_ack_by_somebody_else_is_409(world: Night):
    """Nothing changed because of the state, and the answer says who has it."""
    await world.incident()
    await post(world, "/incidents/1/ack", person="ana")
    status, content = await post(world, "/incidents/1/ack", person="bo")
    assert (status, content["changed"]) == (409, False)
    assert content["incident"]["acknowledged_by"] == "ana"
    status, content = await post(world, "/incidents/1/ack", person="bo", take_over=True)
    assert (status, content["reason"]) == (200, "taken_over")


@pytest.mark.asyncio
async def test_every_verb_is_carried_out(world: Night):
    """Unack, next, snooze, note and resolve each answer with their reason."""
    await world.incident("disk", service="search")
    for verb, content, reason in (
        ("ack", {}, "acknowledged"),
        ("unack", {}, "unacknowledged"),
        ("next", {}, "manual"),
        ("note", {"text": "looking at the disk"}, "noted"),
        ("snooze", {"for": "30m"}, "snoozed"),
        ("resolve", {}, "resolved"),
        ("resolve", {}, "already_resolved"),
    ):
        status, said = await post(world, f"/incidents/1/{verb}", **content)
        assert said["reason"] == reason, verb
        assert status == (409 if reason == "already_resolved" else 200)
    story = await (await world.client.get("/api/v1/incidents/1")).json()
    assert any("looking at the disk" in entry["say"] for entry in story["timeline"])
    assert story["state"] == "resolved"
    assert story["next"] == []


@pytest.mark.parametrize(
    ("verb", "content", "at"),
    [
        ("snooze", {}, "/for"),
        ("snooze", {"for": "soon"}, "/for"),
        ("snooze", {"for": "1s"}, "/for"),
        ("snooze", {"for": "400d"}, "/for"),
        ("note", {"text": "  "}, "/text"),
        ("note", {"text": 7}, "/text"),
        ("note", {"text": "x" * 2001}, "/text"),
        ("ack", {"epoch": "1"}, "/epoch"),
        ("ack", {"epoch": True}, "/epoch"),
        ("ack", {"take_over": "yes"}, "/take_over"),
        ("ack", {"via": "pigeon"}, "/via"),
    ],
)
@pytest.mark.asyncio
async def test_a_verb_with_nonsense_is_400(world: Night, verb, content, at):
    """The pointer says which key, and nothing happens."""
    await world.incident()
    status, said = await post(world, f"/incidents/1/{verb}", **content)
    assert (status, said["at"]) == (400, at)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff"])
@pytest.mark.asyncio
async def test_a_body_that_is_no_object_is_400(world: Night, body):
    """Anything but a JSON object is refused with a sentence."""
    answer = await world.client.post("/api/v1/incidents/1/ack", data=body)
    assert answer.status == 400
    assert (await answer.json())["say"]


@pytest.mark.asyncio
async def test_a_body_that_is_too_large_is_413(world: Night):
    """Forms and small bodies have a small limit, with and without a declared length."""

    async def drip():
        for _ in range(80):
            yield b" " * 1024

    assert (await world.client.post("/api/v1/incidents/1/ack", data=b" " * 70_000)).status == 413
    assert (await world.client.post("/api/v1/incidents/1/ack", data=drip())).status == 413


@pytest.mark.asyncio
async def test_only_an_admin_speaks_for_somebody_else(guarded: Night):
    """A responder's word is their own."""
    number = await guarded.incident()
    path, headers = f"/api/v1/incidents/{number}/ack", guarded.bearer("responder")
    refused = await guarded.client.post(path, json={"person": "ana"}, headers=headers)
    assert (refused.status, (await refused.json())["error"]) == (403, "forbidden")
    assert guarded.engine.untaken == [("api", "refused")]
    own = await guarded.client.post(path, headers=headers)
    assert (await own.json())["incident"]["acknowledged_by"] == "a-responder"


@pytest.mark.asyncio
async def test_raising_opens_an_incident(world: Night):
    """201 with the incident; control characters do not reach its title."""
    status, content = await post(world, "/incidents", title=" Smoke\x07\nin the room ", severity="error", person="ana")
    assert status == 201
    assert content["incident"]["title"] == "Smoke in the room"
    assert (content["incident"]["severity"], content["incident"]["cause"]) == ("error", "raised")


@pytest.mark.parametrize(
    ("content", "at"),
    [({}, "/title"), ({"title": "x", "severity": "huge"}, "/severity"), ({"title": "x", "policy": "none"}, "/policy")],
)
@pytest.mark.asyncio
async def test_raising_nonsense_is_400(world: Night, content, at):
    """What is missing or unknown is named."""
    status, said = await post(world, "/incidents", **content)
    assert (status, said["at"]) == (400, at)


@pytest.mark.asyncio
async def test_who_is_on_call_is_told_for_any_instant(world: Night):
    """Every schedule with its people and why, now and at another time."""
    content = await (await world.client.get("/api/v1/oncall")).json()
    assert content["schedules"]
    assert all(turn["because"] for schedule in content["schedules"] for turn in schedule["people"])
    then = await (await world.client.get("/api/v1/oncall?at=2026-12-24 03:00 Europe/Madrid")).json()
    assert then["at"] == "2026-12-24T02:00:00Z"
    refused = await world.client.get("/api/v1/oncall?at=yesterday")
    assert (refused.status, (await refused.json())["at"]) == (400, "/at")


@pytest.mark.asyncio
async def test_status_counts_what_is_open(world: Night):
    """Health, rules and open incidents in one answer."""
    await world.incident("a", service="a")
    await world.incident("b", service="b")
    await post(world, "/incidents/2/ack")
    content = await (await world.client.get("/api/v1/status")).json()
    assert content["healthy"] is True
    assert (content["unacknowledged"], content["acknowledged"]) == (1, 1)
    assert content["rules"]
    assert content["overdue_seconds"] == 0
    world.clock.move(hours=1)
    later = await (await world.client.get("/api/v1/status")).json()
    assert later["overdue_seconds"] > 0


@pytest.mark.asyncio
async def test_an_alert_that_pages_nobody_is_explained(world: Night):
    """The verdict of an alert can be asked for; an unknown one is 404."""
    answer = await (await world.fire("disk", service="search", env="staging")).json()
    content = await (await world.client.get(answer["accepted"][0]["explain"])).json()
    assert content["verdict"]["reasons"] is not None
    assert content["starts_at"] == START.isoformat().replace("+00:00", "Z")
    assert (await world.client.get("/api/v1/alerts/alertmanager/none")).status == 404


@pytest.mark.asyncio
async def test_a_store_that_is_away_is_503(world: Night):
    """Reads and writes alike say to try again."""
    await world.incident()
    world.engine.error = StoreUnavailableError("locked")
    for method, path in (("GET", "/api/v1/incidents"), ("POST", "/api/v1/incidents/1/ack")):
        answer = await world.client.request(method, path)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.asyncio
async def test_a_defect_is_500_without_its_text(world: Night):
    """An unexpected error is answered without details, which are in the log under an id."""
    await world.incident()
    world.engine.error = RuntimeError("secret detail")
    answer = await world.client.post("/api/v1/incidents/1/ack")
    content = await answer.text()
    assert answer.status == 500
    assert "secret detail" not in content
    assert answer.headers["X-Request-Id"] in content


@pytest.mark.asyncio
async def test_an_unknown_incident_cannot_be_acked(world: Night):
    """404 for a number that nothing has."""
    status, content = await post(world, "/incidents/5/ack")
    assert (status, content["error"]) == (404, "unknown_incident")
    assert world.engine.untaken == [("api", "refused")]
    await post(world, "/incidents/5/ack", via="cli")
    await post(world, "/incidents/5/snooze", **{"for": "1h"})
    assert world.engine.untaken[1:] == [("cli", "refused")]


@pytest.mark.parametrize(
    ("path", "role", "counted"),
    [
        ("/api/v1/incidents/{}/ack", "viewer", [("api", "refused")]),
        ("/api/v1/incidents/{}/ack", "nobody", [("api", "refused")]),
        ("/api/v1/incidents/{}/unack", "viewer", []),
        ("/api/v1/incidents/{}/ack", "responder", []),
        ("/incidents/{}/ack", "viewer", [("web", "refused")]),
        ("/incidents/{}/ack", "responder", [("web", "refused")]),
        ("/incidents/{}/note", "responder", []),
    ],
)
@pytest.mark.asyncio
async def test_an_ack_of_somebody_who_may_not_is_counted(guarded: Night, path, role, counted):
    """Strangers, viewers, and on a page a form that is not ours."""
    number = await guarded.incident()
    headers = {"Authorization": "Bearer nothing"} if role == "nobody" else guarded.bearer(role)
    await guarded.client.post(path.format(number), headers=headers)
    assert guarded.engine.untaken == counted
