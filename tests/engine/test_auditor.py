"""The auditor: each promise that is broken in the data is named, counted and told; what is well passes."""

import sqlite3
from contextlib import closing

import pytest

from escalatord.engine.auditor import audit_once
from escalatord.engine.commands import Ingested
from tests.fakes.company import night


def spoil(world, statement):
    """Change the database from outside, as a defect or an intruder would."""
    with closing(sqlite3.connect(world.store.path, isolation_level=None)) as outside:
        assert outside.execute(statement).rowcount > 0


async def audit(world):
    """Return an audit of now."""
    return await audit_once(world.engine, world.clock.now())


@pytest.mark.asyncio
async def test_a_house_in_order_passes(tmp_path):
    """Open, held and closed incidents, sent and withdrawn attempts: nothing is found."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.fire("Held")
        await world.pass_time(minutes=1)
        await world.reply("ana", "L9")
        await world.fire("Over")
        await world.resolve("Over")
        found = await audit(world)
        assert (found.passed, found.alive, dict(found.broken), found.overdue, found.forgotten) == (True, True, {}, 0, 0)
        assert sum(count for _policy, _severity, _state, count, _since in found.open_counts) == 2
        world.phones.forget()


@pytest.mark.parametrize(
    ("invariant", "statement", "say"),
    [
        ("next_step", "UPDATE incidents SET next_due_at = NULL WHERE number = 1", "1 open incidents have no deadline"),
        ("durable", "DELETE FROM alerts", "was accepted and is not in the database"),
        ("journal_whole", "UPDATE journal SET actor = 'eve' WHERE incident = 1", "the journal of INC-1 was changed"),
        (
            "ack_ends_pages",
            "UPDATE outbox SET state = 'pending', claims = 0 WHERE incident = 1",
            "waits to be sent though INC-1 is held or over",
        ),
    ],
)
@pytest.mark.asyncio
async def test_what_is_broken_is_named_counted_and_told_once(tmp_path, invariant, statement, say):
    """The watchdog is fed all the same, because no restart mends it; the sign of life outside is not."""
    async with night(tmp_path) as world:
        await world.fire("DiskFull")
        await world.pass_time(minutes=1)
        if invariant == "ack_ends_pages":
            await world.reply("ana", "K7")
        if invariant == "journal_whole":
            await world.reply("ana", "K7 looking at it")
        world.phones.forget()
        world.sender._draining = True  # it would withdraw what waits
        spoil(world, statement)
        found = await audit(world)
        assert say in found.broken[invariant]
        assert not found.passed
        await world.pass_time(minutes=10)
        told = [i for i in world.incidents() if i.source == "escalatord" and "promise broken" in i.title]
        assert len(told) == 1
        assert say in told[0].title or say.split()[0] in told[0].title
        assert world.journal(0, "audit_failed")[0].entry.body["invariant"] == invariant
        world.phones.forget()


@pytest.mark.asyncio
async def test_the_last_answered_of_every_source_are_looked_for(tmp_path):
    """Only so many are remembered, whatever comes."""
    async with night(tmp_path) as world:
        for number in range(50):
            assert isinstance(await world.fire("Many", group=str(number), host=str(number)), Ingested)
        assert [len(fingerprints) for fingerprints in world.engine.answered().values()] == [20]
        world.phones.forget()
