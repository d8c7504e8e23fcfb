"""Asking: each query once at a time, a bounded number waiting, and answers that the store may refuse."""

import asyncio

import pytest

from escalatord.engine import asking
from escalatord.engine.asking import ASKING_AT_ONCE_MAX, Asker
from escalatord.errors import StoreUnavailableError


class Slow:
    """Answers when it is let; `begun` is what it was asked."""

    def __init__(self):
        self.begun = []
        self.go_on = asyncio.Event()

    async def measure(self, query):
        """Wait, then say one."""
        self.begun.append(query)
        await self.go_on.wait()
        return 1.0


async def turn():
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_few_are_asked_at_once_and_the_others_wait():
    """Eight queries, four at a time; the same one again is not asked twice until it is answered."""
    told = []

    async def tell(command):
        told.append(command.query)

    asker, slow = Asker(tell), Slow()
    asker.measurer = slow
    running = asyncio.ensure_future(asker.run())
    queries = [str(number) for number in range(8)]
    asker.ask(queries + queries)
    await turn()
    assert slow.begun == queries[:ASKING_AT_ONCE_MAX]
    slow.go_on.set()
    await turn()
    assert (slow.begun, sorted(told)) == (queries, queries)
    asker.ask(["0"])
    await turn()
    assert told[-1] == "0"
    running.cancel()
    await asyncio.wait((running,))


@pytest.mark.asyncio
async def test_an_answer_that_cannot_be_stored_is_asked_again_by_who_needs_it():
    """The store is away: the asker goes on."""
    refused = []

    async def tell(command):
        refused.append(command)
        raise StoreUnavailableError("the disk is away")

    asker, slow = Asker(tell), Slow()
    slow.go_on.set()
    asker.measurer = slow
    running = asyncio.ensure_future(asker.run())
    for _ in range(2):
        asker.ask(["q"])
        await turn()
    assert len(refused) == 2
    running.cancel()
    await asyncio.wait((running,))


@pytest.mark.asyncio
async def test_too_many_are_not_asked(monkeypatch):
    """Past the limit a query is left out; nobody to ask, and none is kept."""
    monkeypatch.setattr(asking, "ASKS_WAITING_MAX", 3)
    asker = Asker(None)
    asker.ask(["before there was anybody"])
    asker.measurer = slow = Slow()
    asker.ask([str(number) for number in range(9)])
    asker.measurer = slow
    assert (asker._waiting.qsize(), sorted(asker._known)) == (3, ["0", "1", "2"])
