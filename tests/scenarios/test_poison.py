"""What our own code breaks on: it stays alone, it is told and shown, and everybody else is paged in time."""

import json

import pytest

from escalatord.core.events import Ack, TimersDue
from escalatord.core.incident import Cause, Via
from escalatord.engine import intake, unit
from escalatord.engine.commands import Remark
from escalatord.notify.simulated import Simulated
from tests.fakes.company import night, one_tier
from tests.fakes.web_engine import Night
from tests.fakes.web_engine import night as served

SLOW = """
    thresholds:
      - {name: slow, match: alertname=~"Slow.*", severity: {error: {for: 5m}}, policy: main}
    """


@pytest.mark.asyncio
async def test_an_incident_whose_step_raises_is_told_of(tmp_path, monkeypatch):
    """Put aside, tried again, and an incident of its own says so to the catch-all; the others climb in time."""
    honest = unit.step

    def poisoned(incident, event, now, world):
        if incident is not None and incident.number == 1 and isinstance(event, TimersDue):
            raise ZeroDivisionError("planted")
        return honest(incident, event, now, world)

    async with night(tmp_path) as world:
        await world.fire("Poison")
        await world.fire("Healthy")
        world.phones.forget()
        monkeypatch.setattr(unit, "step", poisoned)
        await world.pass_time(minutes=5)
        world.expect_sms("bo", "Healthy", after=300)
        world.expect_sms("ana", "escalatord failed at something", after=300)
        told = world.incident(3)
        assert "incident 1 is put aside" in told.title
        assert (told.cause, told.source) == (Cause.UNMATCHED, "escalatord")
        await world.say(_ack("ana"), 3)
        world.phones.forget()
        await world.pass_time(minutes=30)
        assert len(world.incidents()) == 3, "told once, however often it fails"
        assert len(world.journal(0, "command_failed")) > 3
        monkeypatch.setattr(unit, "step", honest)
        await world.pass_time(minutes=70)
        assert world.incident(1).main.tier > 1, "mended, it goes on"
        world.phones.forget()


@pytest.mark.asyncio
async def test_an_alert_whose_rule_raises_later_is_not_forgotten(tmp_path, monkeypatch):
    """The rule breaks when its time has come: people hear of it, and when it is mended the alert pages after all."""
    async with night(tmp_path, thresholds=SLOW) as world:
        await world.fire("SlowDisk")
        await world.fire("Healthy")
        world.phones.forget()
        monkeypatch.setattr(intake, "evaluate", lambda *_: json.loads("a defect"))
        await world.pass_time(minutes=5)
        world.expect_sms("ana", "escalatord failed at something", after=300)
        monkeypatch.undo()
        world.phones.forget()
        await world.pass_time(minutes=6)
        world.expect_sms("ana", "SlowDisk", after=600)
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_channel_that_raises_costs_no_page(tmp_path, monkeypatch):
    """The next contact method carries it; one incident an hour says that the channel is broken."""
    honest = Simulated.send

    async def raises(self, message):
        if self._spec.name == "sms":
            raise ZeroDivisionError("planted")
        return await honest(self, message)

    monkeypatch.setattr(Simulated, "send", raises)
    async with night(tmp_path, policies=one_tier("safe")) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=30)
        world.phones.expect("sms", "ana", "DiskFull")
        world.phones.expect("sms", "ana", "Channel sms fails in a way it must not")
        assert world.figure("escalatord_notifications_failed_total", channel="sms", provider="sim", reason="other") > 3
        (row,) = world.journal(0, "channel_failed")
        assert row.entry.body == {"channel": "sms"}
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_body_that_breaks_its_parser_is_kept_and_told(tmp_path, monkeypatch):
    """400 with a sentence, because asking again would break again; the body is a dead letter, people hear of it."""
    monkeypatch.setattr("escalatord.web.ingest_http.parse", lambda *_: json.loads("a defect"))
    async with served(tmp_path) as world:
        answer = await world.client.post("/in/alertmanager", json={"alerts": []})
        assert (answer.status, (await answer.json())["error"]) == (400, "E191")
        (letter,) = world.store.read(lambda tx: tx.dead_letters(10))
        assert letter.body == b'{"alerts": []}'
        (incident,) = world.store.read(lambda tx: tx.list_incidents())
        assert incident.title.startswith("Unusable webhook from alertmanager")
        await _is_on_the_board(world, "A body from alertmanager cannot be used", "Unusable webhook from alertmanager")


@pytest.mark.asyncio
async def test_trouble_is_on_the_board_and_hostile_text_stays_text(tmp_path):
    """What failed within a day stands on the board in a sentence; what came from outside is text there."""
    async with served(tmp_path) as world:
        body = {"template": "<script>alert(1)</script>", "wording": "sms", "why": '"><img src=x onerror=alert(1)>'}
        await world.engine.submit(Remark(kind="template_failed", body=body))
        text = await (await world.client.get("/")).text()
        assert "Template &lt;script&gt;alert(1)&lt;/script&gt; failed" in text
        assert "<img src=x" not in text
        world.clock.move(hours=25)
        assert "Trouble with escalatord" not in await (await world.client.get("/")).text()


async def _is_on_the_board(world: Night, *words: str) -> None:
    text = await (await world.client.get("/")).text()
    for each in words:
        assert each in text


def _ack(person):
    return Ack(person=person, via=Via.WEB)
