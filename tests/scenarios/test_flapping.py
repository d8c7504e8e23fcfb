"""Flapping: the same incident goes on where it stood, and its clock is never set back (R13)."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalatord.core.events import Resolve
from escalatord.core.incident import Attempt, NoticeKind, State, Via
from escalatord.sim.world import NIGHT, World
from tests.fakes.company import company, one_tier

OUTCOME = "resolved_unacked"
FLAP = "flap: {reopen_within: 15m, stay_open: 10m}"
LADDER = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [person ana], within: 5m, plan: text}
              - {page: [person bo], within: 5m, plan: text}
              - {page: [person cy], within: 5m, plan: text}
        last_resort: {page: [person boss], plan: text, every: 30m}
        ack_holds: {default: 4h}
    """


def night(folder, policies=LADDER, **sections):
    """Return the company's world with flapping damped, told briskly."""
    return World(company(folder, policies=policies, **{"flap": FLAP, **sections}), folder, NIGHT, brisk=True)


def pages(world, person=""):
    """Return the pages that were sent, as (person, seconds)."""
    kinds = (NoticeKind.PAGE, NoticeKind.LAST_RESORT)
    sent = [m for m in world.phones.sent if m.kind in kinds and person in ("", m.person)]
    return [(m.person, round(world.phones.age_of(m))) for m in sent]


async def flap(world, seconds, every=5):
    """Let a probe fail and work again, so long each."""
    for turn in range(int(seconds // every)):
        await (world.fire if turn % 2 == 0 else world.resolve)("ProbeFailed", probe="a", group="probes")
        await world.pass_time(seconds=every)


@pytest.mark.asyncio
@pytest.mark.parametrize("acked", [False, True])
async def test_an_hour_of_flapping_is_one_incident_and_at_most_three_pages(tmp_path, acked):
    """Each 5 s for 1 h (R13): paged, stood down, paged once more when it comes back, then never again."""
    async with night(tmp_path, one_tier("text", within="2h", more="ack_holds: {default: 4h}")) as world:
        await flap(world, 30)
        if acked:
            await world.reply("ana", "ok")
            assert world.incident().acknowledged_by == "ana"
        await flap(world, 3570)
        assert len(world.incidents()) == 1
        assert pages(world) == [("ana", 0), ("ana", 10)]
        assert world.incident().quiet_since is not None
        assert world.incident().alerts == 1
        await world.pass_time(minutes=9, seconds=54)
        assert world.incident().state is (State.ACKNOWLEDGED if acked else State.OPEN)
        await world.pass_time(seconds=1)
        assert world.incident().state is State.RESOLVED
        closed = world.figure("escalatord_incidents_closed_total", policy="main", severity="error", outcome=OUTCOME)
        assert closed == 1
        assert world.figure("escalatord_incidents_reopened_total", policy="main", severity="error") == 1
        stood_down = [m for m in world.phones.sent if m.kind == NoticeKind.STAND_DOWN]
        assert [round(world.phones.age_of(m)) for m in stood_down] == [5, 3600 + 595]
        world.phones.forget()


@pytest.mark.asyncio
async def test_the_ladder_climbs_as_if_it_had_never_ended(tmp_path):
    """Nobody acks: each tier is entered when its time is over, or with the next flap where it is quiet just then."""
    async with night(tmp_path) as world:
        await flap(world, 1200, every=7)
        assert [(who, at) for who, at in pages(world) if who != "ana"] == [("bo", 300), ("cy", 602), ("boss", 902)]
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_first_end_stands_down_at_once_and_a_later_one_too(tmp_path):
    """What ends and stays so is over at once, and what fires after the time is another incident."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        await world.pass_time(minutes=1)
        await world.resolve("ProbeFailed", group="probes")
        assert world.incident().state is State.RESOLVED
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=15, seconds=1)
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        assert world.incident(2).state is State.OPEN
        await world.resolve("ProbeFailed", group="probes")
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_it_goes_on_in_the_tier_where_it_stood_with_the_time_that_is_left(tmp_path):
    """Over for 2 minutes of 5: Ana is paged again at once, says why, and Bo follows at the fifth minute."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", group="probes")
        code = world.expect_sms("ana", "ERR").code
        await world.pass_time(minutes=1)
        await world.resolve("ProbeFailed", group="probes")
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=2)
        await world.fire("ProbeFailed", group="probes")
        again = world.expect_sms("ana", "It fires again; you are tier 1/3, 2m", after=180)
        assert again.code == code
        await world.pass_time(minutes=1, seconds=59)
        assert len(world.incidents()) == 1
        await world.pass_time(seconds=1)
        world.expect_sms("bo", "Ana did not ack in 5m", after=300)
        assert (world.incident().reopened, world.incident().main.epoch) == (1, 3)
        assert [row.entry.body["after_seconds"] for row in world.journal(kind="reopened")] == [120.0]
        # the code of the first message still answers
        assert f"You now own {code}" in await world.reply("ana", code)
        world.expect_sms("bo", "was acked by Ana")
        await world.resolve("ProbeFailed", group="probes")
        await world.pass_time(minutes=10)
        world.expect_sms("ana", "STAND DOWN")
        world.expect_sms("bo", "STAND DOWN")


@pytest.mark.asyncio
async def test_a_deadline_that_passed_meanwhile_enters_the_next_tier_late(tmp_path):
    """Over from minute 1 to 9: when it fires again Bo is paged at once, once, and told that it is late."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        await world.pass_time(minutes=1)
        await world.resolve("ProbeFailed", group="probes")
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=8)
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("bo", "LATE", after=540)
        world.expect_nothing()
        await world.pass_time(minutes=4, seconds=59)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("cy", "", after=840)


@pytest.mark.asyncio
async def test_an_ack_stays_and_its_owner_is_told_not_paged(tmp_path):
    """The same alert again: one quiet text. A new one, or a worse one, is a page."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", probe="a", group="probes")
        world.expect_sms("ana", "ERR")
        await world.reply("ana", "ok")
        await world.resolve("ProbeFailed", probe="a", group="probes")
        world.expect_sms("ana", "STAND DOWN")
        await world.pass_time(minutes=3)
        await world.fire("ProbeFailed", probe="a", group="probes")
        told = world.expect_sms("ana", "fires again. Ana has it since")
        assert told.kind == NoticeKind.UPDATE
        assert world.incident().acknowledged_by == "ana"
        await world.resolve("ProbeFailed", probe="a", group="probes")
        await world.fire("ProbeFailed", probe="a", group="probes")
        world.expect_nothing()
        await world.fire("ProbeFailed", probe="b", group="probes")
        world.expect_sms("ana", "A new alert joined")
        assert world.incident().alerts == 2


@pytest.mark.asyncio
async def test_an_alert_that_flaps_inside_an_acked_incident_is_no_news(tmp_path):
    """Another alert keeps the incident open and acked: the flapping one pages nobody again; a day later it would."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", probe="a", group="probes")
        world.expect_sms("ana", "ERR")
        await world.fire("ProbeFailed", probe="b", group="probes")
        await world.reply("ana", "ok")
        for _ in range(5):
            await world.resolve("ProbeFailed", probe="b", group="probes")
            await world.pass_time(seconds=20)
            await world.fire("ProbeFailed", probe="b", group="probes")
        world.expect_nothing()
        assert world.incident().alerts == 2
        await world.resolve("ProbeFailed", probe="b", group="probes")
        await world.pass_time(minutes=15, seconds=1)
        await world.fire("ProbeFailed", probe="b", group="probes")
        world.expect_sms("ana", "A new alert joined")


@pytest.mark.asyncio
async def test_what_a_human_closed_is_another_incident(tmp_path):
    """Closed by hand, ended by its sender, and it fires again: somebody has to hear of it as of anything new."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        await world.say(Resolve(person="bo", via=Via.WEB))
        world.expect_sms("ana", "STAND DOWN")
        await world.resolve("ProbeFailed", group="probes")
        await world.pass_time(seconds=1)
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        assert world.incident(2).state is State.OPEN


@pytest.mark.asyncio
async def test_exceptions_and_compliance_are_never_damped(tmp_path):
    """They fire: they page, as often as they fire."""
    exceptions = 'exceptions: [{name: breach, match: alertname="Breach", severity: critical, policy: main, why: leaks}]'
    async with night(tmp_path, exceptions=exceptions) as world:
        for number in (1, 2, 3):
            await world.fire("Breach")
            world.expect_sms("ana", "CRIT")
            await world.pass_time(seconds=1)
            await world.resolve("Breach")
            world.expect_sms("ana", "STAND DOWN")
            await world.pass_time(seconds=1)
            assert world.incident(number).state is State.RESOLVED


@pytest.mark.asyncio
async def test_quiet_and_reopening_survive_a_restart(tmp_path):
    """The end of the quiet, and what just ended, are on disk."""
    async with night(tmp_path) as world:
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "ERR")
        await world.resolve("ProbeFailed", group="probes")
        world.expect_sms("ana", "STAND DOWN")
        await world.restart(down_seconds=30)
        await world.fire("ProbeFailed", group="probes")
        world.expect_sms("ana", "It fires again", after=30)
        await world.resolve("ProbeFailed", group="probes")
        await world.restart(down_seconds=60)
        await world.pass_time(minutes=8, seconds=59)
        assert world.incident().state is State.OPEN
        await world.pass_time(seconds=1)
        assert world.incident().state is State.RESOLVED
        world.expect_sms("ana", "STAND DOWN")


@pytest.mark.asyncio
async def test_without_flap_every_end_is_an_end(tmp_path):
    """The rules do not say it: each flap is an incident, as it always was."""
    async with night(tmp_path, flap="") as world:
        for number in (1, 2):
            await world.fire("ProbeFailed", group="probes")
            world.expect_sms("ana", "ERR")
            await world.resolve("ProbeFailed", group="probes")
            world.expect_sms("ana", "STAND DOWN")
            assert world.incident(number).state is State.RESOLVED
            await world.pass_time(seconds=1)


async def entered(moments):
    """Return when tiers were entered, when it fired, and the incidents, after flapping at these moments."""
    with tempfile.TemporaryDirectory() as folder:
        world = night(Path(folder))
        await world.start()
        firing, began = False, []
        for at in moments:
            await world.pass_time(seconds=at - world.elapsed)
            await (world.resolve if firing else world.fire)("ProbeFailed", group="probes")
            firing = not firing
            began.append((at, firing))
        if not firing:
            await world.fire("ProbeFailed", group="probes")
            began.append((moments[-1], True))
        await world.pass_time(seconds=1200)
        times = [
            ((row.entry.at - world.began).total_seconds(), row.entry.body)
            for row in world.journal(kind="tier_entered")
            if row.entry.body["reason"] == "timeout"
        ]
        repeated = [m for m in world.phones.sent if m.person == "ana" and m.kind == NoticeKind.PAGE]
        states = {row.state for row in world.store.read(lambda tx: tx.outbox_of(1))}
        count = len(world.incidents())
        await world.stop()
        await world.phones.close()
    return times, began, len(repeated), count, states


def first_firing(began, at):
    """Return the first instant from `at` on at which it fired."""
    now = [moment for moment in began if moment[0] <= at][-1]
    return at if now[1] else min(moment for moment, firing in began if firing and moment >= at)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 840), min_size=1, max_size=12, unique=True).map(sorted))
def test_the_clock_of_the_tiers_is_that_of_an_incident_that_never_ended(moments):
    """Whatever it does within the time: a tier comes when its time is over and it fires, never sooner, never later."""
    moments = [0, *[moment + 0.5 for moment in moments]]
    times, began, repeated, count, states = asyncio.run(entered(moments))
    assert count == 1
    deadline = 300.0
    for at, _body in times:
        assert first_firing(began, deadline) == pytest.approx(at)
        deadline = at + 300.0
    assert len(times) >= 1
    assert repeated <= 2
    assert Attempt.PENDING not in states
