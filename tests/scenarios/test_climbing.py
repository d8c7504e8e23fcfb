"""Tiers, reminders and the last resort: who is paged when, to the second."""

import pytest

from escalatord.core.incident import Reason, State, TrackState
from tests.fakes.company import company, night, one_tier

SECONDARY_AWAY = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [oncall first], within: 5m, plan: text}
              - {page: [oncall second], within: 5m, plan: text}
              - {page: [person cy], within: 5m, plan: text}
        last_resort: {page: [person boss], plan: text}
    """
DAY_SHIFT_ONLY = """
    schedules:
      first:
        timezone: Europe/Madrid
        layers: [{name: all, rotate: weekly, handoff: Mon 09:00, starts: "2026-01-05", people: [ana]}]
      second:
        timezone: Europe/Madrid
        layers:
          - {name: day, rotate: weekly, handoff: Mon 09:00, starts: "2026-01-05", people: [bo], active: 08:00-20:00}
    """


@pytest.mark.asyncio
async def test_tiers_climb_on_time_until_the_last_resort_which_repeats(tmp_path):
    """Nobody acks: every tier is entered on its second, then the last resort is paged every half hour for ever."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull", host="db-1")
        await world.pass_time(hours=1, minutes=20)
        world.expect_sms("ana", "You: tier 1/3, 5m to ack", after=0)
        world.expect_sms("bo", "Ana did not ack in 5m; you are tier 2/3", after=300)
        world.expect_sms("cy", "tier 3/3", after=600)
        for again in (900, 2700, 4500):
            world.expect_sms("boss", "You are the last resort", after=again)
        assert world.incident().main.state is TrackState.LAST_RESORT
        assert [row.entry.body["reason"] for row in world.journal(kind="tier_entered")] == ["opened", *["timeout"] * 2]
        main = {"policy": "main", "severity": "error"}
        assert world.figure("escalatord_escalations_total", **main, to_tier="2", reason="timeout") == 1
        assert world.figure("escalatord_time_to_escalate_seconds_sum", **main, to_tier="3") == 600
        assert world.figure("escalatord_exhausted_total", policy="main") == 1
        await world.reply("boss", "ok")
        world.expect_sms("ana", "was acked by Vera")
        world.expect_sms("bo", "was acked by Vera")
        world.expect_sms("cy", "was acked by Vera")
        await world.pass_time(minutes=40)


@pytest.mark.asyncio
async def test_reminders_repeat_the_page_until_somebody_acks(tmp_path):
    """A tier's reminders go to those who are paged, and stop with the ack."""
    tier = "[{page: [person ana], within: 1h, remind: [5m, 10m, 20m], plan: text}]"
    policies = one_tier("text").replace("[{page: [person ana], within: 1h, plan: text}]", tier)
    async with night(tmp_path, policies=policies) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=11)
        world.expect_sms("ana", after=0)
        world.expect_sms("ana", "Not acked yet", after=300, kind="remind")
        world.expect_sms("ana", "Not acked yet", after=600, kind="remind")
        await world.reply("ana", "K7")
        await world.pass_time(minutes=20)


@pytest.mark.asyncio
async def test_a_repeat_starts_at_the_first_tier_again(tmp_path):
    """With `repeat: 1` the ladder is climbed twice before the last resort."""
    policies = one_tier("text", within="5m").replace("plan: text}]}", "plan: text}], repeat: 1}")
    async with night(tmp_path, policies=policies) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=11)
        world.expect_sms("ana", after=0)
        world.expect_sms("ana", after=300)
        world.expect_sms("boss", "last resort", after=600)


@pytest.mark.asyncio
async def test_an_empty_tier_is_skipped_in_the_same_second(tmp_path):
    """At night nobody is second: the third tier is entered when the second would be, and the journal says why."""
    async with night(tmp_path, policies=SECONDARY_AWAY, schedules=DAY_SHIFT_ONLY) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=6)
        world.expect_sms("ana", after=0)
        world.expect_sms("cy", after=300)
        assert [row.entry.body["tier"] for row in world.journal(kind="tier_skipped")] == [2]
        assert world.journal(kind="tier_entered")[-1].entry.body["reason"] == Reason.NOBODY_ON_CALL


@pytest.mark.asyncio
async def test_an_empty_tier_uses_its_backup_first(tmp_path):
    """A tier with a backup is not skipped: the backup is paged in its place."""
    policies = SECONDARY_AWAY.replace("[oncall second],", "[oncall second], backup: [person bo],")
    async with night(tmp_path, policies=policies, schedules=DAY_SHIFT_ONLY) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=6)
        world.expect_sms("ana", after=0)
        world.expect_sms("bo", after=300)


@pytest.mark.asyncio
async def test_people_are_looked_up_when_a_tier_is_entered(tmp_path):
    """An override that begins between two tiers counts for the second, although the incident is older."""
    overrides = '\n        overrides: [{person: cy, from: "2026-10-24 03:14", to: "2026-10-24 09:00", why: swap}]\n'
    schedules = DAY_SHIFT_ONLY.replace(", active: 08:00-20:00}", "}" + overrides)
    async with night(tmp_path, policies=SECONDARY_AWAY, schedules=schedules) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=6)
        world.expect_sms("ana", after=0)
        world.expect_sms("cy", after=300)


@pytest.mark.asyncio
async def test_an_override_made_while_the_incident_climbs_counts(tmp_path):
    """Rules reloaded with a swap at three in the morning: the next tier pages the one who stands in."""
    schedules = DAY_SHIFT_ONLY.replace(", active: 08:00-20:00", "")
    async with night(tmp_path, policies=SECONDARY_AWAY, schedules=schedules) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=2)
        swap = '\n    overrides: [{person: lea, from: "2026-10-24 03:00", to: "2026-10-24 09:00", why: swap}]\n'
        text = (world.rules / "schedules.yaml").read_text()
        (world.rules / "schedules.yaml").write_text(text.rstrip() + swap)
        await world.reload(world.rules)
        await world.pass_time(minutes=4)
        world.expect_sms("ana", after=0)
        world.expect_sms("lea", after=300)


@pytest.mark.asyncio
async def test_running_incidents_keep_the_policy_they_were_opened_with(tmp_path):
    """A reload that shortens the ladder changes nothing for an incident that climbs; the next one follows it."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull", host="db-1")
        company(tmp_path, policies=one_tier("text", within="2m"))
        await world.reload(world.rules)
        await world.pass_time(minutes=6)
        world.expect_sms("ana", after=0)
        world.expect_sms("bo", after=300)
        await world.fire("CpuBusy", host="db-1")
        await world.pass_time(minutes=3)
        world.expect_sms("ana", "L9", after=360)
        world.expect_sms("boss", after=480)
        assert [incident.state for incident in world.incidents()] == [State.OPEN, State.OPEN]
