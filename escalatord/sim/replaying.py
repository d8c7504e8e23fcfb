"""A recorded night told again under other rules: the engine itself, in virtual time, with the people who were there.

Whoever answered a page answers the same page as fast again: their words come as long after their first page as they did
then. Whoever spoke without having been paged speaks at the same instant. Whoever is not paged now says nothing.

Rules about silence and storms (`absent`, `anomaly`) are left out: signs of life were not written down. Prometheus is
not asked: a fact that only it knows counts as missing.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from escalatord.core.alert import Alert
from escalatord.core.incident import State
from escalatord.core.matchers import MatcherIndex
from escalatord.core.ruleset import Ruleset
from escalatord.core.values import replace
from escalatord.engine.commands import Answer, Ingest, RaiseIncident
from escalatord.log import quiet
from escalatord.notify.simulated import SimMessage
from escalatord.sim.people import ASKING
from escalatord.sim.recording import Course, Place, Recording, Spoken, courses_of
from escalatord.sim.story import INCIDENTS_READ_MAX, JOURNAL_ROWS_MAX
from escalatord.sim.world import World
from escalatord.store.rows import OutboxRow
from escalatord.store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What would have become of a night, its attempts, and which recorded words nobody would have said."""

    courses: tuple[Course, ...]
    attempts: tuple[OutboxRow, ...]
    unsaid: tuple[Spoken, ...]


def replay(recording: Recording, ruleset: Ruleset) -> Replayed:
    """Tell a recorded night again under these rules."""
    heard = tuple(rule for rule in ruleset.thresholds if rule.absent is None and rule.anomaly is None)
    kept = replace(ruleset, thresholds=heard, threshold_index=MatcherIndex([rule.match for rule in heard]))
    with quiet(), tempfile.TemporaryDirectory(prefix="escalatord-replay-") as folder:
        return asyncio.run(_Player(recording, kept, Path(folder)).run())


class _Player:
    """One night under way."""

    def __init__(self, recording: Recording, ruleset: Ruleset, folder: Path) -> None:
        self.recording = recording
        self.world = World(folder, folder, recording.since, ruleset=ruleset, brisk=True)
        self.waiting = list(recording.spoken)
        self.unsaid: list[Spoken] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Replayed:
        world = self.world
        await world.start()
        world.on_message = self.hear
        try:
            for at, act in self._acts():
                await self._until(at)
                await self._do(act)
            await self._until(self.recording.until)
            return world.store.read(self._told)
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            await world.stop()
            await world.phones.close()

    def hear(self, message: SimMessage) -> None:
        """Let whoever is paged say what they said then, as long after their page."""
        if message.kind not in ASKING or not message.person:
            return
        about = self.world.store.read(lambda tx: _alerts_of(tx, message.incident))
        for spoken in [each for each in self.waiting if each.word.person == message.person and each.about in about]:
            if spoken.after_seconds is not None:
                self.waiting.remove(spoken)
                work = self._speak(spoken, message.incident, spoken.after_seconds)
                self.tasks.add(asyncio.create_task(work, name="a recorded word"))

    async def _speak(self, spoken: Spoken, incident: int, after_seconds: float) -> None:
        await self.world.clock.sleep(after_seconds)
        await self.world.submit(Answer(incident=incident, event=spoken.word))

    def _acts(self) -> Iterable[tuple[datetime, object]]:
        """Return everything that comes from outside at an instant that is known beforehand."""
        acts: list[tuple[datetime, object]] = []
        for at, told in groupby(self.recording.messages, key=itemgetter(0)):
            acts.append((at, tuple(alert for _, alert in told)))
        acts += self.recording.raised
        acts += [(spoken.at, spoken) for spoken in self.recording.spoken if spoken.after_seconds is None]
        return sorted(acts, key=itemgetter(0))

    async def _do(self, act: object) -> None:
        world = self.world
        match act:
            case RaiseIncident():
                known = world.ruleset.policies
                await world.submit(act if act.policy in known else replace(act, policy=""))
            case Spoken():
                number = world.store.read(lambda tx: _incident_of(tx, act.about))
                if number:
                    self.waiting.remove(act)
                    await world.submit(Answer(incident=number, event=act.word))
            case tuple():
                by_source: dict[str, list[Alert]] = {}
                for alert in act:
                    by_source.setdefault(alert.source, []).append(alert)
                for source, alerts in by_source.items():
                    await world.submit(Ingest(source=source, alerts=tuple(alerts)))
            case _:
                raise TypeError(type(act))

    async def _until(self, at: datetime) -> None:
        await self.world.pass_time(seconds=max(0.0, (at - self.world.clock.now()).total_seconds()))
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.discard(task)
            task.result()

    def _told(self, tx: Tx) -> Replayed:
        journal = tx.journal_after(0, JOURNAL_ROWS_MAX)
        numbers = [incident.number for incident in tx.list_incidents(limit=INCIDENTS_READ_MAX)]
        attempts = tuple(row for number in sorted(numbers) for row in tx.outbox_of(number))
        return Replayed(courses=courses_of(journal, attempts), attempts=attempts, unsaid=tuple(self.waiting))


def _alerts_of(tx: Tx, number: int) -> set[Place]:
    """Return the alerts of an incident; what a human raised is known by its title."""
    incident = tx.load((number,)).get(number)
    raised = {Place(incident.source, incident.title)} if incident is not None else set()
    return raised | {Place(one.alert.source, one.alert.fingerprint) for one in tx.alerts_of(number)}


def _incident_of(tx: Tx, about: Place) -> int:
    """Return the incident that an alert belongs to by now, 0 = none."""
    record = tx.alerts(about.source, [about.fingerprint]).get(about.fingerprint)
    if record is not None:
        return record.incident
    found = tx.list_incidents((State.OPEN, State.ACKNOWLEDGED), limit=INCIDENTS_READ_MAX)
    return next((one.number for one in found if Place(one.source, one.title) == about), 0)
