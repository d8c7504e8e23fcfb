"""Monitoring systems: conditions that fire, change and end, told until somebody answers, told again, told twice."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from escalatord.engine.commands import Ingested
from escalatord.errors import StoreUnavailableError
from escalatord.sim.bodies import Condition, body
from tests.sim.years.life import Life

SOURCE = "alertmanager"
RETRY_SECONDS = (5.0, 17.3, 60.0, 300.0)
REPEAT_SECONDS = (1800.0, 4 * 3600.0)
LENGTHS_SECONDS = (20.0, 60.0, 240.0, 240.0, 600.0, 600.0, 1800.0, 1800.0, 1800.0, 7200.0, 7200.0, 50000.0)
BEAT_SECONDS = 3600.0

BROKEN = {"service": "shop", "env": "prod"}
CONDITIONS: tuple[Mapping[str, str], ...] = (
    {"alertname": "BrokenCart", "instance": "a", **BROKEN},
    {"alertname": "BrokenCart", "instance": "b", **BROKEN},
    {"alertname": "BrokenTill", "service": "shop", "env": "staging"},
    {"alertname": "SlowCart", **BROKEN},
    {"alertname": "NetDown", "region": "eu"},
    {"alertname": "SymptomA", "region": "eu"},
    {"alertname": "SymptomB", "region": "us"},
    {"alertname": "Measured", "disk": "d1"},
    {"alertname": "Strange", "host": "h1", "severity": "error"},
    {"alertname": "Rust", "service": "yard"},
    {"alertname": "Leak", "service": "shop", "category": "security"},
)
CAUSE = "NetDown"
SYMPTOM = {"alertname": "SymptomA", "region": "eu", "host": "after"}
ALWAYS_PAGE = frozenset({"BrokenCart", "NetDown", "SymptomB", "Strange", "Rust", "Leak"})
"""Conditions that nothing keeps quiet: a firing answered 2xx is in an incident."""
EXCEPTIONS = frozenset({"Leak"})
WATCHDOG = Condition(labels={"alertname": "Watchdog"})


@dataclass(slots=True)
class Told:
    """What a sender was answered last of one condition."""

    condition: Condition
    firing: bool
    at: float
    starts_at: datetime


@dataclass(slots=True)
class Senders:
    """Every monitoring system; `told` by fingerprint is what the house has promised to know."""

    life: Life
    per_day: float
    told: dict[str, Told] = field(default_factory=dict)
    posts: int = 0
    refused: int = 0
    quiet: bool = False
    on_answer: "list[object]" = field(default_factory=list)
    spawn: Callable[[Coroutine[Any, Any, None]], None] = lambda work: work.close()

    async def condition(self, labels: Mapping[str, str]) -> None:
        """Let one condition come and go for ever."""
        life, chance = self.life, self.life.chance
        mean = 86400.0 * len(CONDITIONS) / self.per_day
        while True:
            await life.clock.sleep(chance.expovariate(1 / mean))
            if self.quiet:
                continue
            starts_at = life.clock.now()
            condition = self._measured(labels)
            left = chance.choice(LENGTHS_SECONDS) * chance.uniform(0.3, 1.5)
            await self.tell(condition, firing=True, starts_at=starts_at)
            if labels["alertname"] == CAUSE:
                self.spawn(self._symptom(left))
            while left > 0:
                wait = min(left, chance.choice(REPEAT_SECONDS) * chance.uniform(0.2, 1.0))
                await life.clock.sleep(wait)
                left -= wait
                if left > 0:
                    if chance.random() < 0.5:
                        condition = self._measured(labels)
                    await self.tell(condition, firing=True, starts_at=starts_at)
            await self.tell(condition, firing=False, starts_at=starts_at)

    async def _symptom(self, cause_seconds: float) -> None:
        """Let what follows from the network fire a moment after it, and for a while after it is well again."""
        life, chance = self.life, self.life.chance
        await life.clock.sleep(chance.uniform(0.0, 20.0))
        condition, starts_at = Condition(labels=SYMPTOM), life.clock.now()
        await self.tell(condition, firing=True, starts_at=starts_at)
        await life.clock.sleep(cause_seconds + chance.choice((60.0, 900.0)))
        await self.tell(condition, firing=False, starts_at=starts_at)

    async def beats(self) -> None:
        """Let the watchdog of the monitoring system be heard every hour, but for an outage now and then."""
        starts_at = self.life.clock.now()
        while True:
            await self.tell(WATCHDOG, firing=True, starts_at=starts_at)
            missing = 3 * BEAT_SECONDS if self.life.chance.random() < 0.01 else 0.0
            await self.life.clock.sleep(BEAT_SECONDS + missing)

    async def tell(self, condition: Condition, *, firing: bool, starts_at: datetime) -> None:
        """Post a message until it is answered; now and then a second time, as a pair of senders does."""
        life, chance = self.life, self.life.chance
        content = body(
            (condition,), "firing" if firing else "resolved", {condition.fingerprint: starts_at}, life.clock.now(), ""
        )
        for _copy in range(2 if chance.random() < 0.08 else 1):
            while True:
                self.posts += 1
                await life.turns()
                try:
                    done = await life.alive(life.post(SOURCE, content))
                except StoreUnavailableError:
                    self.refused += 1
                    await life.clock.sleep(chance.choice(RETRY_SECONDS))
                else:
                    break
            self._note(condition, done, firing=firing, starts_at=starts_at)

    def _note(self, condition: Condition, done: Ingested | None, *, firing: bool, starts_at: datetime) -> None:
        assert done is not None, "a body made here could not be read"
        known = self.told.get(condition.fingerprint)
        if known is None or starts_at >= known.starts_at:
            at = self.life.clock.elapsed
            self.told[condition.fingerprint] = Told(condition, firing, at, starts_at)
        for look in self.on_answer:
            look(condition, done, firing)  # type: ignore[operator] # a list of callables

    def _measured(self, labels: Mapping[str, str]) -> Condition:
        errors = self.life.chance.choice((0.5, 3.0, 7.0))
        return Condition(labels=labels, annotations={"errors": f"{errors}%"})
