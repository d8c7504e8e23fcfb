"""The database goes away and comes back: pages go on from memory, and everything is on record afterwards."""

from contextlib import contextmanager

import pytest

from escalatord.core.events import Ack, Note, Resolve
from escalatord.core.incident import Attempt, State, Via
from escalatord.errors import StoreUnavailableError
from tests.fakes.company import night

LATE_SECONDS_MAX = 30.0


@contextmanager
def away(world, *, after=0):
    """Let nothing be read from the database, nor written to it; the first `after` calls are let through."""
    run, left = world.store._run, [after]

    def refuse(*args):
        if left[0] > 0:
            left[0] -= 1
            return run(*args)
        raise StoreUnavailableError("the disk does not answer")

    world.store._run = refuse
    try:
        yield
    finally:
        world.store._run = run


@contextmanager
def answer_lost(world):
    """Let the next write be carried out, and nobody hear that it was."""
    write = world.store.write

    def lose(*args, **more):
        world.store.write = write
        write(*args, **more)
        raise StoreUnavailableError("the connection was lost")

    world.store.write = lose
    yield


def whole(world, number=1):
    """Tell whether the journal of an incident is whole, and whatever went out has an end on record."""
    rows = world.store.read(lambda tx: tx.outbox_of(number))
    return world.store.read(lambda tx: tx.verify(number)) and all(
        row.state in (Attempt.DELIVERED, Attempt.WITHDRAWN) for row in rows
    )


@pytest.mark.asyncio
async def test_an_open_incident_climbs_while_the_database_is_away(tmp_path):
    """Every tier is paged from memory within half a minute; afterwards the database knows all of it."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        world.expect_sms("ana", after=0)
        with away(world):
            await world.pass_time(minutes=15)
            bo, cy, boss = (world.expect_sms(who) for who in ("bo", "cy", "boss"))
            assert world.engine.outage.degraded is not None
        assert 300 <= (bo.at - world.began).total_seconds() < 300 + LATE_SECONDS_MAX
        assert 300 <= (cy.at - bo.at).total_seconds() < 300 + LATE_SECONDS_MAX
        assert boss.at > cy.at
        await world.pass_time(seconds=5)
        assert world.engine.outage.degraded is None
        assert whole(world)
        reasons = [row.entry.body["reason"] for row in world.journal(kind="tier_entered")]
        assert reasons == ["opened", "timeout", "timeout"]
        (told,) = world.journal(kind="from_memory")
        assert told.entry.body["since"].startswith("2026-10-24T")
        main = {"policy": "main", "severity": "error"}
        assert world.figure("escalatord_escalations_total", **main, to_tier="3", reason="timeout") == 1
        opened = world.figure("escalatord_incidents_opened_total", **main, cause="unmatched")
        assert opened == 1, "what was told before the outage is not counted again"
        await world.reply("boss", "ok")
        for who in ("ana", "bo", "cy"):
            world.expect_sms(who, "was acked by Vera")
        assert world.incident().state is State.ACKNOWLEDGED


@pytest.mark.asyncio
async def test_an_ack_counts_at_once_and_is_on_record_when_the_database_is_back(tmp_path):
    """Ana acks from memory: Bo is not paged any more, and the journal has her word at its own instant."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        world.expect_sms("ana")
        with away(world):
            await world.pass_time(minutes=6)
            page = world.expect_sms("bo")
            said_at = world.clock.now()
            said = await world.reply("bo", f"{page.code} ack")
            assert said is not None
            assert "It goes on record when the database is back." in said
            world.expect_sms("ana", "was acked by Bo")
            await world.pass_time(minutes=9)
        await world.pass_time(seconds=5)
        assert world.incident().state is State.ACKNOWLEDGED
        assert world.journal(kind="acknowledged")[0].entry.at == said_at
        assert whole(world)


@pytest.mark.asyncio
async def test_new_alerts_are_refused_and_nothing_is_said_of_what_is_not_held(tmp_path):
    """No 2xx without the database; an incident that memory does not have is not called unknown."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        world.expect_sms("ana")
        with away(world):
            await world.pass_time(minutes=6)
            world.expect_sms("bo")
            with pytest.raises(StoreUnavailableError):
                await world.fire("Slow")
            with pytest.raises(StoreUnavailableError):
                await world.links.look("0000000000")
            with pytest.raises(StoreUnavailableError):
                await world.engine.view(99)
            with pytest.raises(StoreUnavailableError):
                await world.say(Resolve(person="bo", via=Via.WEB))
        await world.pass_time(seconds=5)
        await world.say(Resolve(person="bo", via=Via.WEB))
        world.expect_sms("ana")


@pytest.mark.asyncio
async def test_an_ack_whose_commit_was_in_doubt_wins_over_the_pages_of_memory(tmp_path):
    """Ana's ack was carried out though she was told 503: what memory did meanwhile takes nothing of it away."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        world.expect_sms("ana")
        with answer_lost(world), pytest.raises(StoreUnavailableError):
            await world.say(Ack(person="ana", via=Via.WEB))
        with away(world):
            await world.pass_time(minutes=6)
            page = world.expect_sms("bo")
        await world.pass_time(seconds=5)
        incident = world.incident()
        assert (incident.state, incident.main.owner) == (State.ACKNOWLEDGED, "ana")
        (lost,) = world.journal(kind="sent_from_memory")
        assert (lost.entry.body["person"], lost.entry.body["reference"]) == ("bo", page.reference)
        assert world.store.read(lambda tx: tx.verify(1))
        await world.pass_time(minutes=30)


@pytest.mark.asyncio
async def test_a_climb_whose_commit_was_in_doubt_is_one_page(tmp_path):
    """The second tier was entered, and nobody heard that it was: memory enters it too, and Bo is paged once."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(seconds=299)
        world.expect_sms("ana")
        with answer_lost(world), away(world, after=1):
            await world.pass_time(minutes=8)
            world.expect_sms("bo")
            world.expect_sms("cy")
        await world.pass_time(seconds=5)
        assert whole(world)
        assert [row.entry.body["tier"] for row in world.journal(kind="tier_entered")] == [1, 2, 3]
        assert not world.journal(kind="sent_from_memory")


@pytest.mark.asyncio
async def test_a_process_that_dies_in_the_outage_asks_before_it_pages_again(tmp_path):
    """Bo was paged from memory; after the restart his page is due, and his provider has it already."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        world.expect_sms("ana")
        with away(world):
            await world.pass_time(minutes=6)
            world.expect_sms("bo")
            await world.stop()
        await world.restart()
        await world.pass_time(seconds=10)
        (row,) = [row for row in world.store.read(lambda tx: tx.outbox_of(1)) if row.person == "bo"]
        assert row.state is Attempt.DELIVERED


@pytest.mark.asyncio
async def test_a_page_goes_out_once_though_a_step_in_doubt_gives_it_another_reference(tmp_path):
    """Another alert joined, and nobody heard that it did: memory's messages are one step behind the database's."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        world.expect_sms("ana")
        with answer_lost(world), pytest.raises(StoreUnavailableError):
            await world.say(Note(person="ana", via=Via.WEB, text="looking"))
        with away(world):
            await world.pass_time(minutes=6)
            world.expect_sms("bo")
        await world.pass_time(minutes=2)
        assert [row.person for row in world.store.read(lambda tx: tx.outbox_of(1))] == ["ana", "bo"]
        assert whole(world)
        assert not world.journal(kind="sent_from_memory")
