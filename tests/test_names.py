"""Host names: the last good answer is kept, and a lookup that hangs holds up nobody."""

import asyncio
import socket
import threading

import pytest

from escalatord import names
from escalatord.names import Names

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))]


class System:
    """What answers for the system: `answer` is returned, or raised; while `hangs`, nothing is."""

    def __init__(self) -> None:
        self.answer: object = FOUND
        self.asked = 0
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, *_what: object, **_named: object) -> object:
        """Look up."""
        self.asked += 1
        self.goes_on.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Let nobody wait in real time."""
    monkeypatch.setattr(names, "FIRST_SECONDS_MAX", 0.05)
    monkeypatch.setattr(names, "AGAIN_SECONDS_MAX", 0.05)


@pytest.fixture
def system():
    """Return a system whose lookups end with the test."""
    made = System()
    yield made
    made.goes_on.set()


@pytest.mark.asyncio
@pytest.mark.parametrize("trouble", [socket.gaierror(-3, "try again"), [], None], ids=["fails", "is empty", "hangs"])
async def test_the_last_good_answer_is_used_when_a_lookup(system, monkeypatch, trouble):
    """Fails, finds nothing or hangs: the address that is known is; once it hangs, nobody waits for it again."""
    monkeypatch.setattr(names, "FIRST_SECONDS_MAX", 5.0)
    resolver = Names(system)
    first = await resolver.resolve("api.provider.test", 443)
    assert [each["host"] for each in first] == ["192.0.2.7"]
    system.answer = FOUND if trouble is None else trouble
    if trouble is None:
        system.goes_on.clear()
    assert await resolver.resolve("api.provider.test", 443) == first
    asked = system.asked
    several = await asyncio.gather(*(resolver.resolve("api.provider.test", 443) for _ in range(40)))
    assert several == [first] * 40
    assert system.asked <= asked + 40
    if trouble is None:
        assert system.asked == asked, "one lookup at a time is under way"


@pytest.mark.asyncio
async def test_a_name_that_was_never_known_is_given_up_soon(system):
    """Forty who ask wait for one lookup, and are told in time that there is no address."""
    system.goes_on.clear()
    resolver = Names(system)
    told = await asyncio.gather(
        *(resolver.resolve("api.provider.test", 443) for _ in range(40)), return_exceptions=True
    )
    assert all(isinstance(each, OSError) for each in told)
    assert system.asked == 1


@pytest.mark.asyncio
async def test_a_fresh_answer_takes_the_place_of_the_one_that_was_kept(system, monkeypatch):
    """The provider moves: the next connection goes to where it is now."""
    monkeypatch.setattr(names, "FIRST_SECONDS_MAX", 5.0)
    monkeypatch.setattr(names, "AGAIN_SECONDS_MAX", 5.0)
    resolver = Names(system)
    await resolver.resolve("api.provider.test", 443)
    system.answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.8", 443))]
    assert [each["host"] for each in await resolver.resolve("api.provider.test", 443)] == ["192.0.2.8"]
