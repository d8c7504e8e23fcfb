"""Sources that have a heartbeat: silence opens an incident, exactly in time, and the next beat ends it."""

import pytest

from escalatord.core.incident import Cause, State
from escalatord.engine.commands import Beat, Ingested
from tests.fakes.company import night, one_tier

SOURCES = """
    sources:
      alertmanager: {adapter: alertmanager, auth: loopback, heartbeat: {every: 5m, grace: 1m}}
      batch:
        adapter: generic
        auth: loopback
        heartbeat: {every: 1h, grace: 10m, severity: error, policy: second}
        map:
          fingerprint: $.job
          status: {path: $.state, firing: [failed], resolved: [done]}
          title: $.say
    """
POLICIES = (
    one_tier("text").rstrip()
    + """
          second:
            tracks: {technical: {tiers: [{page: [person bo], within: 1h, plan: text}]}}
            last_resort: {page: [person boss], plan: text}
    """
)
LATER = "2026-10-24 03:11:14 Europe/Madrid"


def house(folder):
    """Return a world in which both sources have a heartbeat."""
    return night(folder, LATER, sources=SOURCES, policies=POLICIES)


@pytest.mark.asyncio
async def test_silence_pages_at_every_plus_grace_and_the_next_beat_ends_it(tmp_path):
    """Six minutes after the last beat, to the second; not before, not again, and over with the next one."""
    async with house(tmp_path) as world:
        await world.submit(Beat(source="alertmanager"))
        await world.pass_time(seconds=359)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "No heartbeat from alertmanager for 6m", after=360)
        incident = world.incident()
        assert (incident.cause, incident.severity.value, incident.policy) == (Cause.HEARTBEAT, "critical", "main")
        assert world.figure("escalatord_incidents_opened_total", policy="main", severity="critical", cause="heartbeat")
        await world.pass_time(minutes=20)
        await world.submit(Beat(source="alertmanager"))
        world.expect_sms("ana", "STAND DOWN")
        assert world.incident().state is State.RESOLVED
        await world.pass_time(seconds=359)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "No heartbeat from alertmanager")
        assert len(world.incidents()) == 2


@pytest.mark.asyncio
async def test_the_watchdog_of_prometheus_is_a_beat_and_pages_nobody(tmp_path):
    """An alert that fires for ever is what its absence is: a repeat of it counts, its resolve does not."""
    async with house(tmp_path) as world:
        for _ in range(5):
            done = await world.fire("Watchdog", severity="none")
            assert [item.incident for item in done.accepted] == [0]
            await world.pass_time(minutes=5)
        world.expect_nothing()
        (told,) = done.accepted
        verdict = world.store.read(lambda tx: tx.verdict_of("alertmanager", told.fingerprint))
        assert "heartbeat of alertmanager" in verdict["reasons"][0]["say"]
        await world.resolve("Watchdog", severity="none")
        await world.pass_time(seconds=60)
        world.expect_sms("ana", "No heartbeat from alertmanager", after=25 * 60 + 60)


@pytest.mark.asyncio
async def test_other_alerts_of_the_source_are_no_beats_and_page_as_ever(tmp_path):
    """What is not the watchdog is an alert like any other."""
    async with house(tmp_path) as world:
        await world.submit(Beat(source="alertmanager"))
        await world.pass_time(minutes=3)
        await world.fire("DiskFull")
        world.expect_sms("ana", "DiskFull")
        await world.pass_time(minutes=3)
        world.expect_sms("ana", "No heartbeat", after=360)


@pytest.mark.asyncio
async def test_a_heartbeat_is_armed_by_its_rules_alone(tmp_path):
    """A source that was never heard is missed from the start on: nobody has to remember to say hello."""
    async with house(tmp_path) as world:
        await world.pass_time(seconds=360)
        world.expect_sms("ana", "No heartbeat from alertmanager", after=360)
        await world.reply("ana", "ok")
        await world.pass_time(minutes=64)
        world.phones.expect("sms", "bo", "No heartbeat from batch for 1h10m", after=4200)
        assert world.incident(2).policy == "second"
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_heartbeat_survives_a_restart(tmp_path):
    """A beat before a kill counts after it; a source that was silent meanwhile has five minutes to come back."""
    async with house(tmp_path) as world:
        await world.submit(Beat(source="batch"))
        await world.submit(Beat(source="alertmanager"))
        await world.restart(down_seconds=200)
        await world.submit(Beat(source="alertmanager"))
        await world.pass_time(seconds=359)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "No heartbeat from alertmanager", after=560)
        await world.restart(down_seconds=3600)
        await world.pass_time(seconds=300)
        world.expect_sms("bo", "No heartbeat from batch")
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_beat_that_nobody_waits_for_changes_nothing(tmp_path):
    """A source without a heartbeat may say that it lives: nothing is armed by that."""
    async with night(tmp_path) as world:
        await world.submit(Beat(source="batch"))
        await world.pass_time(hours=3)
        done = await world.fire("Watchdog")
        assert isinstance(done, Ingested)
        world.expect_sms("ana", "Watchdog")
        await world.reply("ana", "ok")


@pytest.mark.asyncio
async def test_a_beat_is_never_answered_from_memory(tmp_path):
    """Bodies of which everything is known are answered unread; a beat says something each time it comes."""
    async with house(tmp_path) as world:
        repeats = [await world.fire("Watchdog", severity="none") for _ in range(3)]
        assert [done.repeatable for done in repeats] == [False] * 3
        other = [await world.fire("DiskFull") for _ in range(2)]
        assert [done.repeatable for done in other] == [False, True]
        world.phones.forget()
