"""What follows an ack, and what a night can wait for: milestones, office hours, shifts that end, rules that change."""

from pathlib import Path

import pytest

from escalatord.core.events import Mitigated, Note
from escalatord.core.incident import Reason, TrackState, Via
from escalatord.engine.commands import Move, MoveAll, Moved
from escalatord.sim.world import World
from tests.fakes.company import SECTIONS, company, night

POLICY = SECTIONS["policies"]
PATIENT = POLICY.replace("default: 1h", "default: 24h")
HELD_TO = PATIENT.replace(
    "ack_holds", "milestones: {mitigate_by: 2h, update_every: 30m, resolve_by: 8h}\n            ack_holds"
)
OFFICE = {
    "policies": POLICY.replace(
        "ack_holds", "hours: {calendar: work, unless: severity >= critical}\n            ack_holds"
    ),
    "calendars": "calendars:\n  work: {timezone: Europe/Madrid, days: mon-fri, hours: 09:00-18:00}\n",
}
WEEK_ENDS = {
    "schedules": """
        schedules:
          first:
            timezone: Europe/Madrid
            layers: [{name: all, rotate: daily, handoff: "09:00", starts: "2026-10-23", people: [ana, cy]}]
        """,
    "policies": PATIENT,
}
MONDAY_SECONDS = 197326.0
"""From the beginning of the night until Monday, nine in the morning in Madrid; the clock is set back in between."""


def weekend(folder: Path, **sections: str) -> World:
    """Return the company's world without what only guards a real process: three days pass in it."""
    return World(company(folder, **sections), folder, brisk=True)


@pytest.mark.asyncio
async def test_an_owner_who_says_nothing_is_asked_and_then_the_next_one_hears(tmp_path: Path) -> None:
    """Ana acks and falls silent: asked at half past, Bo paged at the hour; her text of two words lets him sleep."""
    async with night(tmp_path, policies=HELD_TO) as world:
        await world.fire("disk")
        code = world.expect_sms("ana", kind="page").code
        await world.reply("ana", code)
        await world.pass_time(minutes=30)
        world.expect_sms("ana", "an update is due", kind="milestone", after=1800)
        await world.pass_time(minutes=30)
        world.expect_sms("ana", "The next tier is told", kind="milestone")
        world.expect_sms("bo", "Ana has it, and gives no update; you are tier 2/3", kind="page", after=3600)
        assert await world.reply("ana", f"{code} rolling back") == f"OK: noted on {code} alertmanager."
        world.expect_sms("bo", "Ana gave an update. You are off the hook.")
        assert (world.incident().main.owner, world.incident().track("past due:technical").state) == (
            "ana",
            TrackState.WAITING,
        )
        await world.resolve("disk")
        world.expect_sms("ana", "STAND DOWN")
        world.expect_sms("bo", "STAND DOWN")
        assert (
            world.figure(
                "escalatord_escalations_total", policy="main", severity="error", to_tier="2", reason="milestone"
            )
            == 1
        )


@pytest.mark.asyncio
async def test_mitigated_by_text_is_heard_after_a_restart(tmp_path: Path) -> None:
    """Deadlines are data: two hours later Bo is paged though the daemon was killed; `K7M` ends it for him."""
    async with night(tmp_path, policies=HELD_TO.replace("update_every: 30m, ", "")) as world:
        await world.fire("disk")
        code = world.expect_sms("ana", kind="page").code
        await world.reply("ana", code)
        await world.pass_time(minutes=50)
        await world.restart(down_seconds=600)
        world.phones.forget()
        await world.say(Note(person="ana", via=Via.WEB, text="still at it"))
        await world.pass_time(minutes=60)
        world.phones.expect("sms", "ana", "not mitigated in 2h", kind="milestone")
        world.phones.expect("sms", "bo", "Ana has it, not mitigated in 2h", kind="page")
        world.phones.forget()
        told = await world.reply("ana", f"{code}M failover done")
        assert told.startswith(f"OK: {code} alertmanager is mitigated.")
        world.expect_sms("bo", "Ana says it is mitigated. You are off the hook.")
        assert world.journal(kind="mitigated")[0].entry.body["text"] == "failover done"
        assert (await world.say(Mitigated(person="bo", via=Via.CLI))).reason is Reason.ALREADY_MITIGATED
        world.phones.forget()


@pytest.mark.asyncio
async def test_a_warning_waits_for_the_office_and_a_disaster_does_not(tmp_path: Path) -> None:
    """At three at night nobody's phone rings; on Monday at nine one does, with how long it waited."""
    async with weekend(tmp_path, **OFFICE) as world:
        await world.fire("disk", host="a")
        world.expect_nothing()
        await world.pass_time(hours=40)
        world.expect_nothing()
        await world.restart(down_seconds=3600)
        await world.pass_time(seconds=MONDAY_SECONDS - world.elapsed - 1)
        world.expect_nothing()
        await world.pass_time(seconds=1)
        world.expect_sms("ana", "Held 2d6h49m for office hours", kind="page", after=MONDAY_SECONDS)
        held = world.journal(kind="tier_entered")[0].entry.body
        assert (held["reason"], held["held_seconds"]) == ("hours_opened", MONDAY_SECONDS)
        await world.resolve("disk", host="a")
        world.phones.forget()


@pytest.mark.asyncio
async def test_what_is_over_by_monday_rings_nobody(tmp_path: Path) -> None:
    """Opened, held, resolved: in the journal, on no phone."""
    async with weekend(tmp_path, **OFFICE) as world:
        await world.fire("disk")
        await world.pass_time(hours=5)
        await world.resolve("disk")
        await world.pass_time(hours=72)
        assert [row.entry.kind for row in world.journal()] == ["opened", "held", "resolved"]


@pytest.mark.asyncio
async def test_a_calendar_that_begins_earlier_by_a_reload_is_not_missed(tmp_path: Path) -> None:
    """New rules give the team a Saturday: what was to wait until Monday is paged at nine."""
    async with weekend(tmp_path, **OFFICE) as world:
        await world.fire("disk")
        every_day = OFFICE["calendars"].replace("mon-fri", "mon-sun")
        await world.reload(company(tmp_path, **{**OFFICE, "calendars": every_day}))
        saturday = MONDAY_SECONDS - 2 * 86400 - 3600  # the clock is set back on Sunday
        await world.pass_time(seconds=saturday)
        world.expect_sms("ana", kind="page", after=saturday)


@pytest.mark.asyncio
async def test_the_next_shift_is_told_and_takes_it_by_a_plain_answer(tmp_path: Path) -> None:
    """Ana acked at night; at nine Cy comes on call, is told quietly, answers with the code, and owns it."""
    async with night(tmp_path, **WEEK_ENDS) as world:
        await world.fire("disk")
        await world.reply("ana", world.expect_sms("ana", kind="page").code)
        await world.pass_time(hours=6)
        told = world.expect_chat("cy", "Ana's shift is over, and Ana still has it", kind="handover")
        assert world.incident().main.owner == "ana"
        said = await world.reply("cy", told.code)
        assert said.startswith(f"OK: you own {told.code} alertmanager")
        assert world.incident().main.owner == "cy"
        world.expect_sms("ana", "was taken over by Cy", kind="acked")


@pytest.mark.asyncio
async def test_a_running_incident_moves_to_new_rules_when_somebody_says_so(tmp_path: Path) -> None:
    """A reload leaves it where it was and says so; the rebase shortens its window, is journaled, and pages nobody."""
    async with night(tmp_path) as world:
        await world.fire("disk")
        world.expect_sms("ana", kind="page")
        assert world.engine.outdated == 0
        await world.reload(company(tmp_path, policies=POLICY.replace("within: 5m", "within: 3m")))
        assert world.engine.outdated == 1
        await world.pass_time(minutes=2)
        moved = await world.submit(MoveAll(person="boss", via=Via.CLI))
        assert isinstance(moved, Moved)
        assert moved.incidents == (1,)
        world.expect_nothing()
        told = world.journal(kind="rebased")[0].entry
        assert (told.actor, told.body["changes"][0]) == (
            "boss",
            "policy main · technical · tier 1 · within: 5m → 3m",
        )
        again = await world.submit(Move(incident=1, person="boss", via=Via.CLI))
        assert again.reason is Reason.SAME_POLICY
        assert (await world.submit(MoveAll(person="boss", via=Via.CLI))).incidents == ()
        await world.pass_time(minutes=1)
        world.expect_sms("bo", kind="page", after=180)


@pytest.mark.asyncio
async def test_what_the_daemon_says_of_a_reload_counts_who_follows_the_old_rules(tmp_path: Path) -> None:
    """The journal of the daemon has both hashes and the number of incidents on old policies."""
    async with night(tmp_path) as world:
        await world.fire("disk")
        world.phones.forget()
        before = world.ruleset.hash
        await world.reload(company(tmp_path, policies=POLICY.replace("within: 5m", "within: 3m")))
        await world.engine.tell_loaded(before)
        (loaded,) = world.journal(0, kind="config_loaded")
        assert loaded.entry.body == {"hash": world.ruleset.hash, "before": before, "outdated": 1}
        assert (await world.submit(Move(incident=99, person="boss", via=Via.CLI))).incident is None
