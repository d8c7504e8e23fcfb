"""Thirty ways in which paging can stop while the process lives: each is found within a minute (R16, T123)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from escalatord.core.values import replace
from escalatord.engine import claiming, handlers
from escalatord.engine.commands import Claim
from escalatord.engine.handlers import Due
from escalatord.errors import StoreUnavailableError
from escalatord.notify.simulated import Failure
from escalatord.sim.world import World
from escalatord.store import alerts, incidents, outbox
from tests.fakes.company import company, night

FOUND_SECONDS = 60
RULES = "thresholds: [{name: slow, match: alertname=Slow, severity: {error: {for: 60s}}, policy: main}]"


async def never(*_args, **_kwargs):
    """Never return."""
    await asyncio.get_running_loop().create_future()


def hung(*_args, **_kwargs):
    """Return a future of a thread that hangs."""
    return Future()


def after(times, honest, instead):
    """Return a function that behaves so often, and then no more."""
    left = [times]

    def call(*args, **kwargs):
        left[0] -= 1
        return (honest if left[0] >= 0 else instead)(*args, **kwargs)

    return call


def only_for(kind, honest):
    """Return an `_enqueue` that never answers commands of one kind."""

    async def enqueue(command):
        return await (never() if isinstance(command, kind) else honest(command))

    return enqueue


def idle_but(event, honest):
    """Return an `_idle` from which the loop that waits for that event never returns."""

    async def idle(woken, seconds):
        await (never() if woken is event else honest(woken, seconds))

    return idle


def full(world):
    """Let every lane of the sender believe that it is full for ever."""
    for lane in world.sender._lanes.values():
        lane.busy = lane.channel.capabilities.concurrency


async def hold(lock):
    """Hold a lock for ever."""
    await lock.acquire()


def end_task(name):
    """Return what hangs a loop of the world by its name, as if it waited for something that never comes."""

    def plant(world, _patch):
        task = next(task for task in world._tasks if task.get_name() == name)
        world._tasks.remove(task)
        task.cancel()

    return plant


def refuse(*_args):
    """Raise what a store raises that cannot do anything now."""
    raise StoreUnavailableError("planted")


def only_asked_for(limit, honest):
    """Return a question that finds nothing, unless it is asked for so many."""
    return lambda connection, now, wanted: honest(connection, now, wanted) if wanted == limit else []


def forget_deadlines(world, patch):
    """Let no commit and no question tell when the next deadline is."""
    honest = world.engine._batch.commit
    patch.setattr(world.engine._batch, "commit", lambda *told: replace(honest(*told), next_due=None))
    patch.setattr(incidents, "next_due", lambda *_: None)
    world.engine.deadlines.next_due = None


def stand_still(world, patch):
    """Let the wall clock say the same for ever."""
    at = world.clock.now()
    patch.setattr(world.clock, "now", lambda: at)


def put(where: Callable[[World], object], name: str, what: object):
    """Return what puts something in the place of a method."""
    return lambda world, patch: patch.setattr(where(world), name, what)


STALLS = {
    "the commit loop has gone": end_task("commits"),
    "the loop of deadlines has gone": end_task("deadlines"),
    "the sender has gone": end_task("sender"),
    "the auditor has gone": end_task("auditor"),
    "the thread that writes hangs": put(lambda w: w.engine._writer, "submit", hung),
    "the thread that reads hangs": put(lambda w: w.engine._reader, "submit", hung),
    "the thread that writes hangs a little later": lambda w, patch: patch.setattr(
        w.engine._writer, "submit", after(2, w.engine._writer.submit, hung)
    ),
    "the thread that reads hangs a little later": lambda w, patch: patch.setattr(
        w.engine._reader, "submit", after(5, w.engine._reader.submit, hung)
    ),
    "nothing is ever told of a commit": put(lambda w: w.engine, "_tell", lambda *_: None),
    "due deadlines are never answered": lambda w, patch: patch.setattr(
        w.engine, "_enqueue", only_for(Due, w.engine._enqueue)
    ),
    "no command is ever answered": put(lambda w: w.engine, "_enqueue", never),
    "the commit loop never wakes": lambda w, patch: patch.setattr(
        w.engine, "_idle", idle_but(w.engine._work, w.engine._idle)
    ),
    "the loop of deadlines never wakes": lambda w, patch: patch.setattr(
        w.engine.deadlines, "_idle", idle_but(w.engine.deadlines._wake, w.engine.deadlines._idle)
    ),
    "no loop ever wakes": lambda w, patch: [
        patch.setattr(loop, "_idle", never) for loop in (w.engine, w.engine.deadlines)
    ],
    "the sender never wakes": put(lambda w: w.sender, "_pause", never),
    "the sender's round hangs": put(lambda w: w.sender, "_round", never),
    "somebody holds the sender's lock": lambda w, _patch: asyncio.ensure_future(hold(w.sender._claiming)),
    "claims are never answered": lambda w, patch: patch.setattr(w.engine, "submit", only_for(Claim, w.engine.submit)),
    "every lane leaks its room": lambda w, _patch: full(w),
    "claims find nothing": put(lambda _w: claiming, "claim", lambda *_: ()),
    "the outbox seems empty": put(lambda _w: outbox, "pending", lambda *_: []),
    "nothing may be claimed": put(lambda _w: outbox, "claim", lambda *_: []),
    "attempts never end": put(lambda w: w.sender, "_attempt", never),
    "every commit fails": lambda w, patch: patch.setattr(w.engine._batch, "commit", refuse),
    "due incidents are not seen": put(lambda _w: handlers, "due_incidents", lambda *_: []),
    "due alerts are not seen": lambda _w, patch: patch.setattr(alerts, "due", only_asked_for(1000, alerts.due)),
    "no deadline is ever known": forget_deadlines,
    "every question fails": lambda w, patch: patch.setattr(w.store, "read", refuse),
    "deadlines pass and do nothing": put(lambda _w: handlers, "pass_deadlines", lambda *_: None),
    "the wall clock stands still": stand_still,
}


def test_there_are_thirty():
    """As many as are promised."""
    assert len(STALLS) == 30


@pytest.mark.parametrize("stall", STALLS.values(), ids=STALLS)
@pytest.mark.asyncio
async def test_a_stall_is_found_within_a_minute(tmp_path, monkeypatch, stall):
    """From then on no audit says that paging goes on: the watchdog starves, and the calls outside stop."""
    world = World(company(tmp_path, thresholds=RULES), tmp_path)
    await world.start()
    await world.fire("DiskFull")
    await world.pass_time(seconds=245)
    await world.fire("Slow")
    await world.pass_time(seconds=50)
    assert world.audits[-1].passed
    stall(world, monkeypatch)
    await world.clock.advance(FOUND_SECONDS)
    found = len(world.audits)
    await world.clock.advance(2 * FOUND_SECONDS)
    assert not any(audit.alive for audit in world.audits[found:])
    for task in world._tasks:
        task.cancel()
    await asyncio.gather(*world._tasks, return_exceptions=True)
    world.store.close()


@pytest.mark.asyncio
async def test_nothing_is_found_where_nothing_is_wrong(tmp_path):
    """An hour of climbing, acks, hung providers and a storm of alerts: every audit says that paging goes on."""
    async with night(tmp_path, thresholds=RULES) as world:
        for number in range(40):
            await world.fire("DiskFull", group=str(number), host=str(number))
        await world.fire("Slow")
        world.phones.fail("sms", Failure.HANG)
        await world.pass_time(minutes=10)
        world.phones.fail("sms", None)
        await world.pass_time(minutes=50)
        assert len(world.audits) >= 240
        assert [audit for audit in world.audits if not audit.passed] == []
        world.phones.forget()
