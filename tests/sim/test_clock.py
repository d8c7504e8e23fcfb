"""Virtual time: order, exactness, and the end of an instant."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from escalatord.clock import within
from escalatord.sim.clock import InLoop, InStep, SpinningError, VirtualClock

START = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)


@pytest.mark.asyncio
async def test_sleepers_wake_in_order_each_at_its_own_instant():
    """Whoever sleeps is woken by the order of the deadlines, and sees exactly the time slept for."""
    clock, woken = VirtualClock(START), []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, (clock.now() - START).total_seconds()))

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 0.1, 7200, 0.3)]
    await clock.advance(3600)
    assert woken == [(0.1, 0.1), (0.3, 0.3), (3, 3)]
    assert clock.monotonic() == 3600
    await clock.advance(3600)
    assert woken[-1] == (7200, 7200)
    await asyncio.gather(*tasks)


@pytest.mark.asyncio
async def test_what_a_woken_one_starts_happens_before_time_goes_on():
    """A chain of sleeps inside one advance keeps its pace: nothing is skipped because time runs ahead."""
    clock, ticks = VirtualClock(START), []

    async def tick():
        while True:
            await clock.sleep(5)
            for _ in range(10):
                await asyncio.sleep(0)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(tick())
    await clock.advance(21)
    assert ticks == [5, 10, 15, 20]
    task.cancel()


@pytest.mark.asyncio
async def test_a_sleep_that_is_cancelled_wakes_nobody():
    """A cancelled sleeper does not stop the clock at its deadline."""
    clock = VirtualClock(START)
    task = asyncio.create_task(clock.sleep(5))
    await clock.settle()
    task.cancel()
    await clock.advance(10)
    assert clock.now() == START + timedelta(seconds=10)


@pytest.mark.asyncio
async def test_spinning_at_one_instant_is_an_error_and_not_a_hang(monkeypatch):
    """A loop that never waits for a later instant is told."""
    monkeypatch.setattr("escalatord.sim.clock.TURNS_AT_ONE_INSTANT_MAX", 1000)
    clock = VirtualClock(START)

    async def spin():
        while True:
            await clock.sleep(0)

    task = asyncio.create_task(spin())
    with pytest.raises(SpinningError, match="2026-10-24T01:11:14"):
        await clock.settle()
    task.cancel()


@pytest.mark.asyncio
async def test_a_thread_in_step_has_done_its_work_when_it_is_asked_for():
    """What is handed to the thread is over at once, its result and its error included."""
    stirred = []
    thread = InStep("test", stir=lambda: stirred.append(True))
    future = thread.submit(lambda: 7)
    assert (future.done(), future.result(), stirred) == (True, 7, [True])
    with pytest.raises(ZeroDivisionError):
        await asyncio.get_running_loop().run_in_executor(thread, lambda: 1 // 0)
    thread.shutdown()


def test_a_clock_needs_an_aware_start():
    """A naive instant is refused: nobody could tell which one it is."""
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 10, 24))  # noqa: DTZ001 - that is the point


@pytest.mark.asyncio
async def test_a_time_out_happens_in_virtual_time():
    """`within` gives up when its clock says so, cancels the work, and lets its clean-up happen first."""
    clock, cleaned = VirtualClock(START), []

    async def work():
        try:
            await clock.sleep(60)
        finally:
            cleaned.append(clock.monotonic())

    task = asyncio.create_task(within(clock, 10, work()))
    await clock.advance(9)
    assert not task.done()
    await clock.advance(2)
    with pytest.raises(TimeoutError):
        await task
    assert cleaned == [10]


@pytest.mark.asyncio
async def test_work_that_ends_in_time_gives_its_result_or_its_error():
    """`within` changes nothing for work that is quick enough."""
    clock = VirtualClock(START)

    async def answer(seconds, result):
        await clock.sleep(seconds)
        if isinstance(result, Exception):
            raise result
        return result

    good = asyncio.create_task(within(clock, 10, answer(3, "taken")))
    bad = asyncio.create_task(within(clock, 10, answer(4, OSError("refused"))))
    await clock.advance(5)
    assert await good == "taken"
    with pytest.raises(OSError, match="refused"):
        await bad


@pytest.mark.asyncio
async def test_without_a_thread_the_work_is_done_where_it_is_handed_over():
    """The same as in step, and no thread is made for it."""
    stirred, ident = [], threading.get_ident()
    inside = InLoop("test", stir=lambda: stirred.append(True))
    future = inside.submit(threading.get_ident)
    assert (future.done(), future.result(), stirred) == (True, ident, [True])
    with pytest.raises(ZeroDivisionError):
        await asyncio.get_running_loop().run_in_executor(inside, lambda: 1 // 0)
    inside.shutdown()
