"""A company under fault: its rules, its providers, the real daemon, the load posted to it, and the reckoning."""

import asyncio
import random
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tests.fakes.processes import Daemon, call
from tests.faults.load import Load
from tests.faults.pauses import pause
from tests.faults.provider import Provider, incident_of

ANA, BO, CY, DEE = "+34600000001", "+34600000002", "+34600000003", "+34600000004"
LOOK_EVERY_SECONDS = 0.1
UNTIL_SECONDS_MAX = 60.0
PATIENCE_SECONDS = 30.0

RULES = """
unmatched: {{severity: warning, policy: ops}}
services:
  shop: {{owner: team ops, policy: ops}}
  yard: {{owner: team ops, policy: other}}
thresholds:
  - name: every-alert
    match: service=~"shop|yard"
    severity: {{critical: {{}}}}
    group_by: [fingerprint]
    owner: team ops
policies:
  ops:
    owner: person cy
    tracks:
      technical:
        tiers:
          - {{page: [person ana], within: {within}, plan: usual}}
          - {{page: [person bo], within: {within}, plan: usual}}
    last_resort: {{page: [person cy], plan: usual, every: {every}}}
  other:
    owner: person dee
    tracks:
      technical:
        tiers:
          - {{page: [person dee], within: 1h, plan: other}}
    last_resort: {{page: [person dee], plan: other, every: 30m}}
contact_plans:
  usual: {plan}
  other: [{{by: {other}}}]
channels:
{channels}
people:
  ana: {{name: Ana Ruiz, sms: "+34600000001", timezone: Europe/Madrid}}
  bo: {{name: Bo Lind, sms: "+34600000002", timezone: Europe/Madrid}}
  cy: {{name: Cy Novak, sms: "+34600000003", timezone: Europe/Madrid}}
  dee: {{name: Dee Roth, sms: "+34600000004", timezone: Europe/Madrid}}
teams:
  ops: [ana, bo, cy]
sources:
  am: {{adapter: alertmanager}}
# every page is counted by its own text
limits: {{per_person: {{sms: [], call: [], mail: []}}}}
"""
CHANNEL = (
    '  {name}: {{provider: twilio, account_sid: {sid}, auth_token: file:token, from: "{sender}", base_url: "{url}"}}\n'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one fault came to, over all the times it struck.

    `lost` = answered alerts of which somebody on the ladder never heard; `duplicated` = texts created beyond the first
    of their attempt; `begun_again` = claims beyond the first: of attempts in flight at a kill, or tried again.
    """

    count: int
    alerts: int
    pages: int
    lost: int
    duplicated: int
    begun_again: int
    slowest_page_seconds: float
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it for faults.json."""
        return asdict(self)


class Site:
    """Everything one fault test needs; made by `site`."""

    def __init__(self, folder: Path, providers: Mapping[str, Provider], daemon: Daemon) -> None:
        self.folder = folder
        self.providers = dict(providers)
        self.provider = next(iter(providers.values()))
        self.daemon = daemon
        self.clock = self.provider.clock
        self.never = asyncio.Event()

    def load(self, per_second: float, service: str = "shop") -> Load:
        """Return a load on this daemon; run it as a task."""
        return Load(f"{self.daemon.url}/in/am", per_second, self.clock, service)

    def signal(self, number: signal.Signals) -> None:
        """Send the daemon a signal."""
        assert self.daemon.running is not None
        self.daemon.running.process.send_signal(number)

    async def metric(self, line: str) -> float:
        """Return the value of one series of /metrics."""
        text = str(await asyncio.to_thread(call, f"{self.daemon.url}/metrics"))
        return float(next(found for found in text.splitlines() if found.startswith(line + " ")).rpartition(" ")[2])

    def heard(self, address: str) -> dict[int, list[str]]:
        """Return every text to a phone, by incident, in order."""
        found: dict[int, list[str]] = {}
        for provider in self.providers.values():
            for reference, texts in provider.texts.items():
                if provider.reader[reference] == address:
                    found.setdefault(incident_of(reference), []).extend(texts)
        return found

    async def start(self) -> None:
        """Start the daemon and wait until it is ready."""
        await asyncio.to_thread(self.daemon.start)

    async def kill(self) -> None:
        """Kill the daemon as a power cut of its process would."""
        await asyncio.to_thread(self.daemon.kill)

    async def stop(self) -> int:
        """End the daemon politely; return its exit code."""
        return await asyncio.to_thread(self.daemon.stop)

    async def wait(self, seconds: float) -> None:
        """Let the world go on for a while."""
        await pause(self.never, seconds)

    async def until(self, what: str, done: Callable[[], bool], seconds: float = UNTIL_SECONDS_MAX) -> None:
        """Wait until `done`; AssertionError with `what` when it never is."""
        for _ in range(int(seconds / LOOK_EVERY_SECONDS)):
            if done():
                return
            await pause(self.never, LOOK_EVERY_SECONDS)
        raise AssertionError(f"not within {seconds:g} s: {what}\n{self.said()}")

    def said(self) -> str:
        """Return the end of the daemon's log."""
        return self.daemon.running.tail() if self.daemon.running else ""

    def paged(self, address: str) -> dict[int, float]:
        """Return when each incident first reached that phone, by whatever provider (monotonic seconds)."""
        first: dict[int, float] = {}
        for provider in self.providers.values():
            for number, at in provider.first_created(address).items():
                first[number] = min(at, first.get(number, at))
        return first

    def unpaged(self, load: Load, addresses: Iterable[str] = (ANA, BO, CY)) -> set[int]:
        """Return the incidents, answered for, of which one of these phones never heard."""
        numbers = {answered.incident for answered in load.answered}
        return {number for address in addresses for number in numbers - self.paged(address).keys()}

    async def quiet(
        self, load: Load, addresses: Iterable[str] = (ANA, BO, CY), patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Stop the load, then wait until every answered alert has climbed to its end, or nothing moves any more."""
        load.stop()
        await load.ended.wait()
        left, still = len(load.answered) + 1, 0.0
        while still < patience_seconds:
            missing = len(self.unpaged(load, addresses))
            if not missing:
                return
            still = 0.0 if missing < left else still + LOOK_EVERY_SECONDS
            left = missing
            await self.wait(LOOK_EVERY_SECONDS)

    def reckon(self, load: Load, count: int, note: str = "", addresses: Iterable[str] = (ANA, BO, CY)) -> Row:
        """Return what the fault came to, from the provider's notebook and the database as it is now.

        `slowest_page_seconds` runs from the 2xx to the first creation of the first phone's text.
        """
        addresses = tuple(addresses)
        first = self.paged(addresses[0])
        ends = [(first[a.incident] - a.answered_at) for a in load.answered if a.incident in first]
        incidents, again = self.database()
        numbers = [answered.incident for answered in load.answered]
        assert len(set(numbers)) == len(numbers), "two alerts share an incident"
        assert set(numbers) <= incidents, "an answered alert has no incident in the database"
        return Row(
            count=count,
            alerts=len(load.answered),
            pages=sum(len(provider.created) for provider in self.providers.values()),
            lost=len(self.unpaged(load, addresses)),
            duplicated=sum(provider.copies for provider in self.providers.values()),
            begun_again=again,
            slowest_page_seconds=round(max([0.0, *ends]), 3),
            note=note,
        )

    def database(self) -> tuple[set[int], int]:
        """Return the numbers of all incidents, and how many claims were made beyond the first of their attempt."""
        with closing(sqlite3.connect(self.daemon.database)) as connection:
            numbers = {row[0] for row in connection.execute("SELECT number FROM incidents")}
            again = connection.execute("SELECT coalesce(sum(claims - 1), 0) FROM outbox WHERE claims > 1").fetchone()[0]
        return numbers, int(again)


SiteT = TypeVar("SiteT", bound=Site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What differs between sites: a provider for each channel; alerts of service `yard` page Dee by the last one."""

    channels: tuple[str, ...] = ("sms",)
    plan: str = "[{by: sms}]"
    within: str = "3s"
    every: str = "30m"

    def rules(self, providers: Mapping[str, Provider]) -> str:
        """Return the rules, as one file."""
        channels = "".join(
            CHANNEL.format(name=name, sid=provider.account_sid, sender=provider.sender, url=provider.url)
            for name, provider in providers.items()
        )
        return RULES.format(
            within=self.within, plan=self.plan, every=self.every, channels=channels, other=self.channels[-1]
        )


@asynccontextmanager
async def site(
    folder: Path,
    wiring: Wiring = Wiring(),
    make: Callable[[Path, Path], Daemon] = Daemon,
    built: Callable[[Path, Mapping[str, Provider], Daemon], SiteT] = Site,  # type: ignore[assignment] # the usual one
) -> AsyncIterator[SiteT]:
    """Build a site in `folder`; the daemon, made by `make`, is not started yet, and is ended at the end."""
    async with AsyncExitStack() as stack:
        providers = {name: await stack.enter_async_context(Provider()) for name in wiring.channels}
        rules = folder / "rules"
        rules.mkdir()
        (rules / "token").write_text("fake-auth-token")
        (rules / "rules.yaml").write_text(wiring.rules(providers))
        here = built(folder, providers, make(folder, rules))
        try:
            yield here
        finally:
            for provider in providers.values():
                provider.mend()
            await here.stop()


def moments(seed: int, count: int, least_seconds: float, most_seconds: float) -> list[float]:
    """Return when to strike: seconds after each start, the same for the same seed."""
    chance = random.Random(seed)
    return [chance.uniform(least_seconds, most_seconds) for _ in range(count)]
