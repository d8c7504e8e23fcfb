"""Whom tiers choose and how many have to answer, in the whole daemon: over restarts, in figures, to the text."""

import pytest

from escalatord.core.events import Note
from escalatord.core.incident import State, TrackState, Via
from escalatord.core.policy import Action
from escalatord.engine.wishes import AddAway
from tests.fakes.company import night

TWO_OF_THREE = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        owner: person boss
        tracks:
          technical:
            tiers:
              - {page: [person ana, person bo, person cy], within: 10m, remind: [4m], plan: text,
                 need: 2, on_enter: [open_rca]}
              - {page: [person boss], within: 10m, plan: text}
        last_resort: {page: [person boss], plan: text}
    """
AVAILABLE = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [person ana & available], within: 5m, plan: text}
              - {page: [person bo & available], backup: [person cy], within: 5m, plan: text}
        last_resort: {page: [person boss & available], plan: text}
    """


@pytest.mark.asyncio
async def test_two_of_three_have_it_and_the_third_goes_back_to_sleep(tmp_path):
    """The first owns it; who has acked hears nothing until there are enough, also when we were killed in between."""
    async with night(tmp_path, policies=TWO_OF_THREE) as world:
        await world.fire("DiskFull", host="db-1")
        for person in ("ana", "bo", "cy"):
            world.expect_sms(person, "You: tier 1/2, 10m to ack")
        told = await world.reply("ana", "ok")
        assert "counts, 1 of 2 needed" in told
        await world.restart(down_seconds=5)
        await world.pass_time(minutes=5)
        world.expect_sms("bo", "Not acked yet")
        world.expect_sms("cy", "Not acked yet")
        assert world.incident().state is State.OPEN
        assert "2 acks are enough. You have it with Ana; Ana owns it." in await world.reply("bo", "ok")
        world.expect_sms("ana", "OK: you own")
        world.expect_sms("cy", "off the hook")
        assert (world.incident().main.owner, world.incident().main.acks) == ("ana", ("ana", "bo"))
        assert (
            world.figure("escalatord_time_to_acknowledge_seconds_count", policy="main", severity="error", tier="1") == 1
        )
        assert world.figure("escalatord_acknowledgements_total", via="sms", result="ok") == 2
        assert world.figure("escalatord_actions_total", policy="main", action="open_rca", state="asked") == 1
        await world.say(Note(person="boss", via=Via.WEB, text="written", done=(Action.OPEN_RCA,)))
        assert world.figure("escalatord_actions_total", policy="main", action="open_rca", state="done") == 1


@pytest.mark.asyncio
async def test_one_of_two_is_told_to_the_next_tier(tmp_path):
    """The boss hears that Ana is at it, and that it took two."""
    async with night(tmp_path, policies=TWO_OF_THREE) as world:
        await world.fire("DiskFull", host="db-1")
        for person in ("ana", "bo", "cy"):
            world.expect_sms(person, "tier 1/2")
        await world.reply("ana", "ok")
        await world.pass_time(minutes=11)
        for person in ("bo", "cy"):
            world.expect_sms(person, "Not acked yet")
        world.expect_sms("boss", "Only Ana acked in 10m")
        assert world.incident().main.state is TrackState.RUNNING


@pytest.mark.asyncio
async def test_who_is_away_is_passed_over_at_once_and_never_in_silence(tmp_path):
    """Tier, backup, last resort: where the filter leaves nobody, somebody else is paged in the same second."""
    async with night(tmp_path, policies=AVAILABLE) as world:
        start = world.clock.now()
        for person in ("ana", "bo", "boss"):
            away = AddAway(
                person=person, start=start, end=start.replace(year=2027), why="x", by="cy", via=Via.CLI
            )  # fmt: skip
            await world.submit(away)
        await world.restart()
        await world.fire("DiskFull", host="db-1")
        world.expect_sms("cy", "tier 2/2", after=0)
        await world.pass_time(minutes=6)
        world.expect_sms("ana", "You are the last resort")
        world.expect_sms("bo", "You are the last resort")
        world.expect_sms("cy", "You are the last resort")
        world.expect_sms("boss", "You are the last resort")
        world.expect_sms("lea", "You are the last resort")
        (skipped,) = world.journal(kind="tier_skipped")
        assert skipped.entry.body["rejected"][0][0] == "ana"
