"""Restarts, gaps, bad rules, poison and unusable webhooks: nothing accepted is lost, nobody is woken for nothing."""

from pathlib import Path

import pytest

from escalatord.core.events import TimersDue
from escalatord.core.incident import State, Via
from escalatord.engine import unit
from escalatord.engine.commands import RaiseIncident, Receipt
from escalatord.errors import ConfigError, StoreUnavailableError
from escalatord.notify.simulated import Failure
from escalatord.sim.world import World
from tests.fakes.company import PEOPLE, SECTIONS, company, night, one_tier


@pytest.mark.asyncio
async def test_a_restart_in_the_middle_resumes_every_timer(tmp_path):
    """Killed between two tiers, with an ack's question and a snooze pending: each comes on its second."""
    async with night(tmp_path) as world:
        await world.fire("Held")
        world.expect_sms("ana", "K7")
        await world.reply("ana", "K7")
        await world.fire("Slept")
        world.expect_sms("ana", "L9")
        await world.follow("ana", "snooze")
        await world.pass_time(minutes=50)
        await world.fire("Climbing")
        world.expect_sms("ana", "M4", after=3000)
        await world.pass_time(minutes=4)
        await world.restart(down_seconds=20)
        world.expect_nothing()
        await world.pass_time(minutes=7)
        world.expect_sms("bo", "K7", after=3300)
        world.expect_sms("ana", "K7 alertmanager still firing", after=3600)
        world.expect_sms("ana", "L9", after=3600)
        world.expect_sms("cy", after=3600)
        assert not any(row.entry.body["late"] for row in world.journal(3, "tier_entered"))
        world.phones.forget()


@pytest.mark.asyncio
async def test_after_an_hour_of_downtime_there_is_one_late_page_and_no_burst(tmp_path):
    """Tiers that came due while it was down are not skipped and not rushed through: one page, marked late."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.pass_time(minutes=4)
        await world.restart(down_seconds=3600)
        world.expect_sms("bo", "LATE, open 1h4m", after=3840)
        world.expect_nothing()
        await world.pass_time(minutes=5)
        world.expect_sms("cy", after=4140)
        entered = world.journal(kind="tier_entered")
        assert [row.entry.body["late"] for row in entered] == [False, True, False]
        assert world.figure("escalatord_timer_lateness_seconds_count", kind="tier_deadline") == 2


@pytest.mark.asyncio
async def test_a_suspend_is_noticed_by_the_clock_that_kept_going(tmp_path):
    """The machine sleeps for an hour with the process in memory: one late page when it wakes, nobody twice."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        world.clock.skip(3600)
        await world.pass_time(seconds=10)
        world.expect_sms("bo", "LATE", after=3600)


@pytest.mark.asyncio
async def test_a_page_in_flight_at_a_kill_is_not_sent_twice(tmp_path):
    """The provider took the text but the daemon died before it heard: it asks on restart, and sends nothing again."""
    async with night(tmp_path) as world:
        commit, world.engine.submit = world.engine.submit, _deaf(world)
        await commit(_a_page())
        await world.settle()
        await world.restart(down_seconds=60)
        await world.pass_time(minutes=1)
        world.expect_sms("ana", after=0)
        world.expect_nothing()
        assert world.journal(kind="first_paged")[0].entry.body["seconds"] >= 60
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_a_page_that_hung_at_a_kill_is_sent_after_the_restart(tmp_path):
    """The provider never took it: after the restart it is not known there, and is sent."""
    async with night(tmp_path) as world:
        world.phones.fail("sms", Failure.HANG)
        await world.fire("DiskFull")
        await world.pass_time(seconds=2)
        world.expect_nothing()
        await world.stop()
        world.phones.fail("sms", None)
        await world.restart(down_seconds=3)
        await world.pass_time(seconds=5)
        world.expect_sms("ana")
        await world.reply("ana", "K7")


@pytest.mark.asyncio
async def test_figures_continue_across_a_restart(tmp_path):
    """MTTA and counters are the journal's: the same after a restart as before."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=301)
        await world.reply("bo", "K7")
        before = _incident_figures(world)
        await world.restart(down_seconds=30)
        assert _incident_figures(world) == before
        assert before["escalatord_time_to_acknowledge_seconds_sum"] == 301
        world.phones.forget()


@pytest.mark.asyncio
async def test_bad_rules_leave_the_old_ones_in_force(tmp_path):
    """A reload that cannot be used says why, at its line; the incident climbs on as if nothing had happened."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        in_force = world.engine.ruleset.hash
        rules = company(tmp_path, policies=one_tier("text").replace("within: 1h", "wthin: 1h"))
        with pytest.raises(ConfigError) as caught:
            await world.reload(rules)
        assert any("within" in finding.fix for finding in caught.value.findings)
        assert world.engine.ruleset.hash == in_force
        await world.pass_time(minutes=5)
        world.expect_sms("bo", after=300)


@pytest.mark.asyncio
async def test_a_person_who_leaves_in_the_middle_is_gone_on_without(tmp_path):
    """Ana is being paged and is taken out of the rules: Bo is paged within the second, on the pinned policy."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        await world.pass_time(seconds=60)
        people = "\n".join(line for line in PEOPLE.splitlines() if not line.startswith("  ana:"))
        first = SECTIONS["schedules"].replace("people: [ana]", "people: [cy]")
        await world.reload(company(tmp_path, people=people, schedules=first))
        world.expect_sms("bo", after=60)
        assert [row.entry.body["person"] for row in world.journal(kind="person_gone")] == ["ana"]


@pytest.mark.asyncio
async def test_a_poisonous_incident_is_put_aside_and_the_others_are_on_time(tmp_path, monkeypatch):
    """A step that raises for one incident costs the others nothing; when it is mended the incident goes on."""
    honest = unit.step

    def poisoned(incident, event, now, world):
        if incident is not None and incident.number == 1 and isinstance(event, TimersDue):
            raise ZeroDivisionError("planted")
        return honest(incident, event, now, world)

    async with night(tmp_path) as world:
        await world.fire("Poison")
        await world.fire("Healthy")
        world.expect_sms("ana", "K7")
        world.expect_sms("ana", "L9")
        monkeypatch.setattr(unit, "step", poisoned)
        await world.pass_time(minutes=6)
        world.expect_sms("bo", "Healthy", after=300)
        assert world.engine.quarantined == 1
        assert "planted" in world.journal(0, "command_failed")[0].entry.body["error"]
        assert world.audits[-1].passed
        monkeypatch.setattr(unit, "step", honest)
        await world.pass_time(minutes=3)
        world.expect_sms("bo", "Poison")
        world.phones.forget()


@pytest.mark.asyncio
async def test_an_unusable_webhook_is_kept_and_the_catch_all_hears_once_an_hour(tmp_path):
    """Garbage from a source opens one incident for the people of `unmatched`, not one for each body."""
    async with night(tmp_path) as world:
        for _ in range(5):
            assert await world.post("alertmanager", b'{"status": "fir') is None
            await world.pass_time(minutes=1)
        world.expect_sms("ana", "Unusable webhook from alertmanager", after=0)
        assert len(world.store.read(lambda tx: tx.dead_letters(10))) == 5
        assert len(world.incidents()) == 1
        await world.reply("ana", "ok")
        world.phones.forget()
        await world.pass_time(minutes=56)
        world.phones.forget()
        await world.post("alertmanager", b"[")
        world.expect_sms("ana")
        assert len(world.incidents()) == 1
        await world.reply("ana", "ok")
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_good_alert_is_not_lost_to_a_bad_neighbour(tmp_path):
    """One body, one good alert and one that is none: the good one pages, the bad one is kept and told."""
    async with night(tmp_path) as world:
        body = b'{"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull"}}, 7]}'
        done = await world.post("alertmanager", body)
        assert done is not None
        assert [item.incident for item in done.accepted] == [1]
        world.expect_sms("ana", "DiskFull")
        world.expect_sms("ana", "Unusable webhook")
        await world.reply("ana", "all")


@pytest.mark.asyncio
async def test_any_json_of_a_mapped_source_pages_and_resolves(tmp_path):
    """A batch system's own JSON, by the field map of its source, opens an incident and ends it."""
    async with night(tmp_path) as world:
        await world.post("batch", b'{"job": "settlement", "state": "failed", "say": "settlement failed"}')
        world.expect_sms("ana", "settlement failed")
        await world.post("batch", b'{"job": "settlement", "state": "done", "say": "settlement failed"}')
        world.expect_sms("ana", "STAND DOWN")
        assert world.incident().state is State.RESOLVED


@pytest.mark.asyncio
async def test_the_shipped_rules_wake_ana_then_bo(tmp_path):
    """The night of the README: Ana does not answer, Bo is second after five minutes and takes it by phone."""
    async with _shipped(tmp_path) as world:
        await world.fire("checkout-5xx")
        world.expect_chat("ana", after=0)
        world.expect_sms("ana", "CRIT K7 checkout: 5xx rate 8.2% (eu-west). You: tier 1/3, 5m to ack", after=0)
        await world.pass_time(minutes=5, seconds=8)
        world.expect_call("ana", after=180)
        world.expect_sms("bo", "Ana did not ack in 5m; you are tier 2/3", after=300)
        world.expect_call("bo", after=300)
        assert (await world.press("bo", "4")).startswith("Thank you. Checkout is yours.")
        world.expect_sms("ana", "was acked by Bo at 03:16:22 (call). You are off the hook")
        assert world.incident().first_acked_at is not None
        world.phones.forget()
        await world.resolve("checkout-5xx")
        world.expect_sms("bo", "STAND DOWN: K7 checkout recovered")
        world.phones.forget()
        await world.pass_time(minutes=40)


def _shipped(folder):
    """Return a world of the rules that the demonstration runs."""
    return World(Path(__file__).resolve().parents[2] / "rules", folder)


def _a_page():
    return RaiseIncident(title="raised", person="cy", via=Via.WEB)


def _deaf(world):
    """Return a submit that loses every receipt, as a process does that is killed just then."""
    honest = world.engine.submit

    async def submit(command):
        if isinstance(command, Receipt):
            raise StoreUnavailableError("killed")
        return await honest(command)

    return submit


def _incident_figures(world):
    wanted = ("time_to", "incidents_opened", "incidents_closed", "escalations", "acknowledgements", "exhausted")
    found: dict[str, float] = {}
    for family in world.metrics.registry.collect():
        if any(word in family.name for word in wanted):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found
