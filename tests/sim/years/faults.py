"""What goes wrong, by weight: processes, disks, clocks, providers and rules."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

from escalatord.config.load import load
from escalatord.core.incident import Via
from escalatord.engine.commands import AddOverride
from escalatord.errors import ConfigError, StoreUnavailableError
from tests.sim.years.life import Life
from tests.sim.years.phones import LOOKUPS, WEATHERS

WEIGHTS: Mapping[str, int] = {
    "kill": 30,
    "kills": 6,
    "weather": 24,
    "storm": 8,
    "disk": 10,
    "outage": 16,
    "wrong_clock": 6,
    "suspend": 4,
    "reload": 8,
    "broken_rules": 3,
    "override": 6,
    "garbage": 4,
    "meddle": 20,
}
DOWN_SECONDS = (0.5, 0.5, 3.0, 60.0, 1200.0, 5 * 3600.0)
LASTING_SECONDS = (20.0, 120.0, 900.0, 5400.0)
CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)
JUMPS_SECONDS = (2.0, 90.0, 3600.0, 86400.0)
WAITED_FOR_SECONDS = 7.0
WAITED_FOR_LOOKS_MAX = 3_000
IN_DOUBT_SHARE = 0.4
AFTERMATH_SECONDS = 240.0
"""How long after the end of a fault something may still be late because of it."""


class Faults:
    """Fate. `troubled(since)` tells whether anything was wrong between then and now."""

    def __init__(self, life: Life, chance: Random, per_day: float) -> None:
        self._life = life
        self._chance = chance
        self._per_day = per_day
        self._running = 0
        self._last_end = -AFTERMATH_SECONDS
        self.happened: dict[str, int] = {}
        self.stopped = False
        self.humans: Any = None
        self.down_seconds = 0.5

    async def strike(self) -> None:
        """Strike for ever."""
        while True:
            await self._life.clock.sleep(self._chance.expovariate(self._per_day / 86400.0))
            if self.stopped:
                continue
            name = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            self.happened[name] = self.happened.get(name, 0) + 1
            self._life.phones.say(f"fault {name}")
            await getattr(self, "_" + name)()

    def begin(self) -> None:
        """Note that something is wrong from now on."""
        self._running += 1
        self._life.look_around_often(often=True)

    def end(self) -> None:
        """Note that it is over."""
        self._running -= 1
        self._last_end = self._life.clock.elapsed

    def calm_for(self) -> float:
        """Return for how many seconds nothing has been wrong, nor was lately."""
        if self._running:
            return 0.0
        return max(0.0, self._life.clock.elapsed - self._last_end - AFTERMATH_SECONDS)

    # ------------------------------------------------------------------------------------------------ each

    async def _kill(self) -> None:
        self._life.disk.die_at = _countdown(self._chance.randint(1, 60))
        self.down_seconds = self._chance.choice(DOWN_SECONDS)

    async def _kills(self) -> None:
        left = self._chance.randint(2, 6)
        counting = [self._chance.randint(1, 25)]

        def die(_point: str) -> bool:
            nonlocal left
            counting[0] -= 1
            if counting[0] or not left:
                return False
            left -= 1
            counting[0] = self._chance.randint(1, 25)
            return True

        self._life.disk.die_at = die
        self.down_seconds = 0.5

    async def _weather(self) -> None:
        phones, chance = self._life.phones, self._chance
        name = chance.choice(("chat", "sms", "sms_backup", "call", "mail"))
        await self._lasting(
            lambda: (phones.weather.update({name: chance.choice(sorted(WEATHERS))}), _bad_lookup(phones, chance, name)),
            lambda: (phones.weather.pop(name, None), phones.lookups.pop(name, None)),
        )

    async def _storm(self) -> None:
        phones, chance = self._life.phones, self._chance
        names = ("chat", "sms", "sms_backup", "call", "mail")
        kind = chance.choice(sorted(WEATHERS))
        await self._lasting(lambda: phones.weather.update(dict.fromkeys(names, kind)), phones.clear_up)

    async def _disk(self) -> None:
        disk = self._life.disk

        def spoil() -> None:
            disk.trouble = self._chance.choice(CODES)

        def mend() -> None:
            disk.trouble, disk.in_doubt = 0, False

        await self._lasting(spoil, mend)

    async def _outage(self) -> None:
        """The database goes away while something climbs; the answer to the last commit may be lost."""
        life = self._life
        for _ in range(WAITED_FOR_LOOKS_MAX):
            if life.up and not life.disk.dead and life.climbing():
                break
            await life.clock.sleep(WAITED_FOR_SECONDS)
        life.disk.in_doubt = self._chance.random() < IN_DOUBT_SHARE
        await self._disk()

    async def _wrong_clock(self) -> None:
        clock, chance = self._life.clock, self._chance
        seconds = chance.choice(JUMPS_SECONDS) * chance.choice((-1, 1))
        await self._lasting(lambda: clock.set_wrong(seconds), clock.set_right)
        self._life.look_around_often(often=True)

    async def _suspend(self) -> None:
        self.begin()
        self._life.clock.skip(self._chance.choice((1.0, 60.0, 3600.0, 12 * 3600.0)))
        self.end()

    async def _reload(self) -> None:
        life = self._life
        other = next(each for each in life.books.sets if each is not life.ruleset)
        self.begin()
        with suppress(StoreUnavailableError):
            await life.turns()
            await life.reload(other)
        self.end()

    async def _broken_rules(self) -> None:
        with suppress(ConfigError):
            load(self._life.books.broken, need_secrets=False)
            raise AssertionError("broken rules were taken")

    async def _override(self) -> None:
        life, chance = self._life, self._chance
        begins = life.clock.now() + timedelta(seconds=chance.choice((0, 600, 86400)))
        command = AddOverride(
            schedule=chance.choice(("first", "second")),
            person=chance.choice(("ana", "bo", "dee")),
            start=begins,
            end=begins + timedelta(hours=chance.choice((1, 9))),
            why="a wedding",
            by="ana",
            via=Via.CLI,
        )
        with suppress(StoreUnavailableError):
            await life.submit(command)

    async def _garbage(self) -> None:
        life = self._life
        with suppress(StoreUnavailableError):
            await life.alive(life.post("alertmanager", self._chance.choice((b"{", b"[]", b'{"alerts": 7}'))))

    async def _meddle(self) -> None:
        await self.humans.stir()

    async def _lasting(self, spoil: Any, mend: Any) -> None:
        self.begin()
        spoil()
        await self._life.clock.sleep(self._chance.choice(LASTING_SECONDS) * self._chance.uniform(0.3, 1.2))
        mend()
        self.end()


def _countdown(points: int) -> Any:
    left = [points]

    def die(_point: str) -> bool:
        left[0] -= 1
        return left[0] == 0

    return die


def _bad_lookup(phones: Any, chance: Random, name: str) -> None:
    phones.lookups[name] = chance.choice(LOOKUPS)
