"""Every answer that a monitoring system can get."""

import asyncio
import gzip
import io

import pytest

from escalatord.engine.commands import Quarantine
from escalatord.errors import StoreUnavailableError
from escalatord.limits import BODY_BYTES_MAX
from tests.fakes.web_engine import START, Night, alert, webhook

JSON = {"Content-Type": "application/json"}


@pytest.mark.asyncio
async def test_a_new_alert_is_accepted_with_its_incident(world: Night):
    """A body that changes something gets 202 and says what became of each alert."""
    answer = await world.fire("disk", service="search")
    content = await answer.json()
    assert answer.status == 202
    assert content["rejected"] == []
    (accepted,) = content["accepted"]
    assert accepted["incident"] == 1
    assert accepted["new"] is True
    assert accepted["policy"]
    assert accepted["explain"] == f"/api/v1/alerts/alertmanager/{accepted['fingerprint']}"
    assert world.ingested == [("alertmanager", "accepted")]
    explained = await world.client.get(accepted["explain"])
    assert (await explained.json())["incident"] == 1


@pytest.mark.asyncio
async def test_a_repeat_is_unchanged(world: Night):
    """The same body again gets 200 and changes nothing."""
    await world.fire()
    answer = await world.fire()
    assert (answer.status, (await answer.json())["result"]) == (200, "unchanged")
    assert world.ingested[-1] == ("alertmanager", "unchanged")


@pytest.mark.asyncio
async def test_an_empty_body_of_alerts_is_unchanged(world: Night):
    """A test message without alerts is answered with 200."""
    answer = await world.client.post("/in/alertmanager", json=webhook())
    assert (answer.status, (await answer.json())["accepted"]) == (200, [])


@pytest.mark.asyncio
async def test_a_partly_bad_body_keeps_the_good_alerts(world: Night):
    """The good alert is committed, the bad one reported with a pointer and kept as a dead letter."""
    answer = await world.client.post("/in/alertmanager", json=webhook(alert("disk"), {"labels": 7}))
    content = await answer.json()
    assert answer.status == 207
    assert [item["incident"] for item in content["accepted"]] == [1]
    (rejected,) = content["rejected"]
    assert rejected["index"] == 1
    assert rejected["at"].startswith("/alerts/1")
    assert rejected["say"]
    (letter,) = world.store.read(lambda tx: tx.dead_letters(10))
    assert letter.at_pointer == rejected["at"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="an empty body"),
        pytest.param(b"\x00\xff", id="no text at all"),
        pytest.param(b"{", id="torn JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"version":"4","alerts":{}}', id="alerts that are no list"),
        pytest.param(b'{"version":"4","alerts":[{"labels":[]}]}', id="only bad alerts"),
        pytest.param(b"[" * 100_000, id="nesting without end"),
    ],
)
@pytest.mark.asyncio
async def test_an_unusable_body_is_kept_and_told(world: Night, body):
    """Nothing usable gets 400 with a code, a pointer and a sentence, and the body is quarantined."""
    answer = await world.client.post("/in/alertmanager", data=body, headers=JSON)
    content = await answer.json()
    assert answer.status == 400
    assert set(content) == {"error", "at", "say"}
    assert content["error"].startswith("E1")
    (command,) = world.engine.commands
    assert isinstance(command, Quarantine)
    assert command.body == body
    assert world.ingested == [("alertmanager", "malformed")]


@pytest.mark.asyncio
async def test_a_source_that_does_not_exist_says_which_do(world: Night):
    """404 names the sources and how to add one."""
    answer = await world.client.post("/in/nagios", json={})
    content = await answer.json()
    assert (answer.status, content["error"]) == (404, "unknown_source")
    assert "alertmanager, batch, guarded" in content["say"]
    assert "sources:" in content["fix"]
    assert world.ingested == []


@pytest.mark.parametrize("token", ["old-secret", "new-secret"])
@pytest.mark.asyncio
async def test_each_of_two_secrets_opens_a_guarded_source(world: Night, token):
    """While a secret is rotated, both are valid."""
    answer = await world.client.post(
        "/in/guarded", json=webhook(alert("disk")), headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status == 202


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Authorization": "Bearer wrong"}, id="a wrong token"),
        pytest.param({"Authorization": "Bearer "}, id="an empty token"),
        pytest.param({"Authorization": "Basic b2xkLXNlY3JldA=="}, id="another scheme"),
        pytest.param({"Authorization": "old-secret"}, id="no scheme"),
    ],
)
@pytest.mark.asyncio
async def test_a_guarded_source_refuses_without_its_secret(world: Night, headers):
    """401 says how to send the token; nothing is committed and no body kept."""
    answer = await world.client.post("/in/guarded", json=webhook(alert("disk")), headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in (await answer.json())["fix"]
    assert world.engine.commands == []
    assert world.ingested == [("guarded", "unauthorized")]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Forwarded-For": "203.0.113.9"}, id="through a proxy"),
        pytest.param({"Forwarded": "for=203.0.113.9"}, id="through a standard proxy"),
        pytest.param({"Origin": "https://evil.example"}, id="from a web page"),
        pytest.param({"origin": "http://127.0.0.1:8911"}, id="from any web page"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="by a browser"),
    ],
)
@pytest.mark.asyncio
async def test_a_source_without_secret_takes_this_machine_only(world: Night, headers):
    """403 for whatever may come from elsewhere; the sentence says what to configure."""
    answer = await world.fire(headers=headers)
    assert answer.status == 403
    assert "auth:" in (await answer.json())["fix"]
    assert world.engine.commands == []


@pytest.mark.asyncio
async def test_too_large_a_body_is_refused(world: Night):
    """413 with the limit."""
    answer = await world.client.post("/in/alertmanager", data=io.BytesIO(b" " * (BODY_BYTES_MAX + 1)), headers=JSON)
    assert (answer.status, (await answer.json())["error"]) == (413, "too_large")
    assert world.engine.commands == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Encoding": "gzip"}, id="compressed"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, id="multipart"),
    ],
)
@pytest.mark.asyncio
async def test_bodies_that_can_grow_are_refused_but_kept(world: Night, headers):
    """Compressed and multipart bodies get 400 and are kept as they came, never inflated."""
    body = gzip.compress(b"0" * 10_000_000)
    answer = await world.client.post("/in/alertmanager", data=body, headers={**JSON, **headers})
    assert (answer.status, (await answer.json())["error"]) == (400, "E106")
    (command,) = world.engine.commands
    assert isinstance(command, Quarantine)
    assert command.body == body


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(StoreUnavailableError("disk full"), id="the store is away"),
        pytest.param(RuntimeError("a defect"), id="something broke"),
    ],
)
@pytest.mark.asyncio
async def test_what_cannot_be_committed_is_503_with_retry_after(world: Night, error):
    """Nothing is accepted, and the sender is told to try again."""
    world.engine.error = error
    answer = await world.fire()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    world.engine.error = None
    assert (await world.fire()).status == 202


@pytest.mark.asyncio
async def test_a_letter_that_cannot_be_kept_is_503(world: Night):
    """An unusable body is not answered with 400 before it is safely kept."""
    world.engine.error = StoreUnavailableError("disk full")
    answer = await world.client.post("/in/alertmanager", data=b"{", headers=JSON)
    assert answer.status == 503


@pytest.mark.asyncio
async def test_a_dry_run_explains_and_commits_nothing(world: Night):
    """The verdict comes back with its reasons, and nobody is paged."""
    answer = await world.client.post("/in/alertmanager?dry_run=1", json=webhook(alert("disk", service="search")))
    content = await answer.json()
    assert answer.status == 200
    assert content["explained"][0]["verdict"]["severity"]
    assert world.engine.commands == []
    listed = await world.client.get("/api/v1/incidents")
    assert (await listed.json())["incidents"] == []


@pytest.mark.asyncio
async def test_a_dry_run_of_a_bad_body_keeps_nothing(world: Night):
    """Trying out a body that cannot be used leaves no dead letter."""
    answer = await world.client.post("/in/alertmanager?dry_run=1", data=b"{", headers=JSON)
    assert answer.status == 400
    assert world.engine.commands == []


@pytest.mark.asyncio
async def test_a_resolve_closes_what_was_opened(world: Night):
    """The sender's own resolve is accepted and the incident is over."""
    await world.fire()
    answer = await world.fire(status="resolved", starts_at=START.isoformat())
    assert answer.status == 202
    found = await (await world.client.get("/api/v1/incidents/1")).json()
    assert found["recovered_at"] is not None


@pytest.mark.asyncio
async def test_get_is_not_possible(world: Night):
    """Only POST hands alerts over."""
    answer = await world.client.get("/in/alertmanager")
    assert answer.status == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.asyncio
async def test_a_repeat_by_the_octet_needs_no_commit(world: Night):
    """Once a commit found nothing new, the same octets are answered alike without one, and counted alike."""
    await world.fire()
    second = await world.fire()
    asked = len(world.engine.commands)
    third = await world.fire()
    assert len(world.engine.commands) == asked
    assert (third.status, await third.json()) == (second.status, await second.json())
    assert {name: third.headers[name] for name in ("Server", "Content-Type")} == {
        "Server": "escalatord",
        "Content-Type": "application/json",
    }
    assert world.ingested[-1] == ("alertmanager", "unchanged")


@pytest.mark.asyncio
async def test_what_was_known_is_looked_at_again_when_it_changed(world: Night):
    """After a resolve the same firing body is no repeat: later than it could be a copy or flap, it pages again."""
    for _ in range(3):
        await world.fire()
    await world.fire(status="resolved")
    world.clock.move(seconds=901)  # and than what flaps goes on in the same incident
    answer = await world.fire()
    (accepted,) = (await answer.json())["accepted"]
    assert (answer.status, accepted["incident"], accepted["new"]) == (202, 2, True)


@pytest.mark.asyncio
async def test_a_body_changed_within_the_same_commit_is_not_known(world: Night):
    """A repeat and the resolve of its alert that are committed together leave nothing remembered."""
    await world.fire()
    await asyncio.gather(world.fire(), world.fire(status="resolved"))
    asked = len(world.engine.commands)
    await world.fire()
    assert len(world.engine.commands) == asked + 1


@pytest.mark.asyncio
async def test_new_rules_make_every_body_unknown(world: Night):
    """What a source's body means may change with the rules."""
    for _ in range(3):
        await world.fire()
    await world.engine.engine.reload(world.engine.ruleset)
    asked = len(world.engine.commands)
    await world.fire()
    assert len(world.engine.commands) == asked + 1


@pytest.mark.asyncio
async def test_a_dry_run_never_answers_from_memory(world: Night):
    """Who asks what would become of a known body is told, not answered as if it were sent."""
    for _ in range(3):
        await world.fire()
    answer = await world.client.post("/in/alertmanager?dry_run=1", json=webhook(alert("disk")))
    assert (await answer.json())["dry_run"] is True
