"""One stretch of time on call: everybody plays their part, and after every step somebody checks."""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from escalatord.core.roster import ChannelSpec
from escalatord.engine.written import Written
from escalatord.notify.channel import Message
from tests.sim.years.disk import KilledError
from tests.sim.years.faults import Faults
from tests.sim.years.humans import Humans
from tests.sim.years.invariants import BrokenError, Observer
from tests.sim.years.life import Life
from tests.sim.years.rules import Books
from tests.sim.years.senders import CONDITIONS, Senders
from tests.sim.years.trace import Trace

DAY_SECONDS = 86400.0
CLOCK_CHANGES = (
    datetime(2026, 3, 26, tzinfo=UTC),
    datetime(2026, 10, 22, tzinfo=UTC),
    datetime(2027, 3, 25, tzinfo=UTC),
)
AGAIN_SECONDS = 2.0
"""How long the service manager waits before it starts what did not come up once more."""
CALM_AT_THE_END_SECONDS = 7200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to. `broken` is "" when every invariant held; `story` are the last lines before it broke."""

    seed: int
    days: float
    steps: int
    incidents: int
    pages: int
    answers: int
    posts: int
    refused: int
    lives: int
    faults: dict[str, int]
    digest: str
    broken: str = ""
    story: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """Return the failure for a reader: how to see it again, what broke, and what happened just before."""
        again = f"make sim SEED={self.seed} DAYS={self.days:g}"
        return "\n".join(
            (f"step {self.steps} of seed {self.seed} breaks {self.broken}", *self.story, f"again: {again}")
        )


def simulate(seed: int, days: float, *, echo: bool = False) -> Outcome:
    """Live through so many days by that seed."""
    with tempfile.TemporaryDirectory(prefix="escalatord-year-", dir=fast_folder()) as folder:
        return asyncio.run(_Run(seed, days, echo=echo).live(Path(folder)))


def fast_folder() -> str | None:
    """Return a folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - memory, and only for speed


class _Run:
    def __init__(self, seed: int, days: float, *, echo: bool) -> None:
        self.seed = seed
        self.days = days
        self.chance = Random(seed)
        self.trace = Trace(self._now, echo=echo)
        self.tasks: set[asyncio.Task[None]] = set()
        self.broken: BaseException | None = None

    async def live(self, folder: Path) -> Outcome:
        """Build everything, let time go by, reckon."""
        asyncio.get_running_loop().set_exception_handler(self._unheard)
        chance = self.chance
        began = self._beginning()
        self.life = life = Life(folder, began, Books(folder), chance)
        self.senders = senders = Senders(life, per_day=chance.choice((0.7, 1.5, 4.0)))
        self.humans = humans = Humans(life, chance, wakefulness=chance.choice((0.15, 0.5, 0.8)))
        self.faults = faults = Faults(life, chance, per_day=chance.choice((0.5, 2.0, 6.0)))
        faults.humans = humans
        humans.spawn = self.spawn
        self.observer = observer = Observer(life, senders, faults)
        senders.spawn = self.spawn
        senders.on_answer.append(observer.answered)
        life.phones.on_send = self._sending
        life.phones.say = self._say
        life.on_commit = self._committed
        self._say(f"begins, {senders.per_day:g} a day, awake {humans._wakefulness:g}, faults {faults._per_day:g}")
        broken = ""
        try:
            await self._live_on()
        except BrokenError as error:
            broken = str(error)
        await self._clear_away()
        return Outcome(
            seed=self.seed,
            days=self.days,
            steps=self.trace.step,
            incidents=len(observer.opened),
            pages=sum(life.phones.created.values()),
            answers=humans.answers,
            posts=senders.posts,
            refused=senders.refused,
            lives=life.lives,
            faults=faults.happened,
            digest=self.trace.digest,
            broken=broken,
            story=tuple(self.trace.last) if broken else (),
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let somebody do something beside everybody else."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    # ---------------------------------------------------------------------------------------------- private

    def _beginning(self) -> datetime:
        if self.chance.random() < 0.3:
            return self.chance.choice(CLOCK_CHANGES)
        return datetime(2026, 1, 12, tzinfo=UTC) + timedelta(hours=self.chance.randrange(0, 24 * 700))

    async def _live_on(self) -> None:
        await self._rise(0.0)
        for labels in CONDITIONS:
            self.spawn(self.senders.condition(labels))
        self.spawn(self.senders.beats())
        self.spawn(self.faults.strike())
        await self.life.clock.settle()
        await self._until(self.days * DAY_SECONDS)
        self.faults.stopped = self.senders.quiet = self.humans.asleep = True
        self.life.disk.die_at = lambda _point: False
        while not self.faults.calm_for():
            await self._until(self.life.clock.elapsed + 600.0)
        await self._until(self.life.clock.elapsed + CALM_AT_THE_END_SECONDS)
        self.observer.reckon()

    async def _until(self, end: float) -> None:
        life = self.life
        while life.clock.elapsed < end:
            if life.disk.dead or not life.up:
                await self._lie_dead()
            elif await life.clock.next(end):
                self.trace.step += 1
                self._look()
            if self.faults.calm_for() and life.up:
                self._calm()

    def _look(self) -> None:
        if self.broken is not None:
            broken, self.broken = self.broken, None
            raise broken
        self.observer.look()

    async def _lie_dead(self) -> None:
        life = self.life
        self.faults.begin()
        seconds, self.faults.down_seconds = self.faults.down_seconds, 0.5
        self._say(f"dies, for {seconds:g} s")
        await life.bury()
        end = life.clock.elapsed + seconds
        while await life.clock.next(end):
            pass
        await self._rise(seconds)
        self.faults.end()

    async def _rise(self, down_seconds: float) -> None:
        rose = await self.life.rise()
        self._say(f"{'rises' if rose else 'dies while it rises'}, life {self.life.lives}")
        if not rose:
            self.faults.down_seconds = AGAIN_SECONDS
        else:
            self.observer.began(down_seconds)
            self.life.look_around_often(often=True)
        self._look()

    def _calm(self) -> None:
        if self.life.engine._idle_seconds < DAY_SECONDS:
            self.life.look_around_often(often=False)

    def _now(self) -> datetime:
        return self.life.clock.now()

    def _say(self, text: str) -> None:
        self.trace.say(text)

    def _committed(self, written: Written) -> None:
        for entry in written.entries:
            self._say(f"INC-{entry.incident} {entry.kind} {entry.actor} {entry.body}")
        try:
            self.observer.committed(written)
        except BrokenError as error:
            self.broken = self.broken or error

    def _sending(self, spec: ChannelSpec, message: Message) -> None:
        try:
            self.observer.sending(spec.name, message)
        except BrokenError as error:  # the sender guards itself against whatever a channel raises
            self.broken = self.broken or error

    def _done(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, KilledError):
            self.broken = self.broken or error

    def _unheard(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BrokenError):
            self.broken = self.broken or error
        elif "callback" in str(context.get("message")) and not isinstance(error, KilledError):
            self.life.defects.append(f"{context.get('message')}: {error!r}")
        # what is left are tasks of dead lives, swept up whenever memory is

    async def _clear_away(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        for task in list(self.tasks):
            with suppress(asyncio.CancelledError, KilledError, Exception):
                await task
        if self.life.up or not self.life.disk.dead:
            await self.life.bury()
        await self.life.phones.close()
