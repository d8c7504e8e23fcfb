"""A story: alerts come in, people do what their scripts say, and what happened is told as values.

Each story is a `World` of its own on a database that is thrown away, so stories can be played side by side.
"""

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from escalatord.core.alert import AlertStatus
from escalatord.core.incident import Incident, TrackState
from escalatord.core.ruleset import Ruleset
from escalatord.core.values import replace
from escalatord.engine.commands import Accepted, Ingested
from escalatord.errors import BadInputError, EscalatordError
from escalatord.ingest.retold import Json, Retelling, retell
from escalatord.log import quiet
from escalatord.notify.simulated import Failure, SimMessage
from escalatord.sim.people import Cast, Script
from escalatord.sim.world import World
from escalatord.store.rows import JournalRow, OutboxRow
from escalatord.store.tx import Tx

JOURNAL_ROWS_MAX = 200_000
ALERTS_READ_MAX = 10_000
INCIDENTS_READ_MAX = 10_000
STRIDE_SECONDS = 300.0
STORY_SECONDS_MAX = 90 * 86400.0
LAST_RESORT_SECONDS_MAX = 7 * 86400.0
AT_THE_END = frozenset({TrackState.LAST_RESORT, TrackState.ENDED})


class StoryError(EscalatordError):
    """A story that cannot be told: a source, person or channel in it is not in the rules, or a body cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A body that comes in `after_seconds`: parsed, from the source of that name; how it is told see `Retelling`."""

    source: str
    content: Json
    changes: Mapping[str, str] = field(default_factory=dict)
    status: AlertStatus | None = None
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens outside. `failures` are by channel; it ends after `until_seconds`.

    With `until_last_resort` it ends as soon as the main track of every incident has tried every tier, instead.
    """

    at: datetime
    given: tuple[Given, ...]
    scripts: Mapping[str, Script] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    until_seconds: float = 7200.0
    until_last_resort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one alert of a body at the instant it came in."""

    at: datetime
    title: str
    accepted: Accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Everything that happened. Messages are as they were at the end, by reference.

    `rejected` are sentences about what nobody could read, `verdicts` are the last ones on every alert, as JSON values.
    """

    began: datetime
    ended: datetime
    journal: tuple[JournalRow, ...]
    incidents: tuple[Incident, ...]
    attempts: tuple[OutboxRow, ...]
    messages: Mapping[str, SimMessage]
    taken: tuple[Taken, ...]
    verdicts: tuple[Mapping[str, object], ...]
    rejected: tuple[str, ...]


def play(story: Story, ruleset: Ruleset) -> Played:
    """Tell a story under these rules and return what happened; StoryError when it cannot be told."""
    check(story, ruleset)
    with quiet(), tempfile.TemporaryDirectory(prefix="escalatord-sim-") as folder:
        return asyncio.run(_Player(story, ruleset, Path(folder)).run())


def check(story: Story, ruleset: Ruleset) -> None:
    """Raise StoryError with a sentence when the story names what is not in the rules."""
    for given in story.given:
        _known("source", given.source, ruleset.sources)
    for person in story.scripts:
        _known("person", person, ruleset.people)
    for channel in story.failures:
        _known("channel", channel, ruleset.channels)
    if story.until_seconds > STORY_SECONDS_MAX:
        raise StoryError(f"a story lasts at most {STORY_SECONDS_MAX / 86400:.0f} days")


def failures_of(names: Sequence[str], ruleset: Ruleset) -> dict[str, Failure]:
    """Return which channels fail how: `sms`, `twilio` (every channel of that provider), `call=busy`.

    Without a way they refuse. Raise StoryError when there is no such channel, provider or way.
    """
    failures: dict[str, Failure] = {}
    for text in names:
        name, _, way = text.partition("=")
        try:
            mode = Failure(way or Failure.REFUSE)
        except ValueError:
            raise StoryError(f"{way!r} is no way to fail; ways: {', '.join(Failure)}") from None
        meant = [channel for channel, spec in ruleset.channels.items() if name in (channel, spec.provider)]
        if not meant:
            _known("channel or provider", name, ruleset.channels)
        failures |= dict.fromkeys(meant, mode)
    return failures


def _without_reviews(ruleset: Ruleset) -> Ruleset:
    """Return the rules without their dates of review: a story is about its alerts, whatever day it is told on."""
    return replace(ruleset, thresholds=tuple(replace(rule, review_by="") for rule in ruleset.thresholds))


class _Player:
    """One story under way."""

    def __init__(self, story: Story, ruleset: Ruleset, folder: Path) -> None:
        self.story = story
        self.world = World(folder, folder, story.at, ruleset=_without_reviews(ruleset), brisk=True)
        self.starts: dict[str, datetime] = {}
        self.taken: list[Taken] = []
        self.rejected: list[str] = []

    async def run(self) -> Played:
        world = self.world
        await world.start()
        cast = Cast(world, self.story.scripts)
        try:
            for channel, mode in self.story.failures.items():
                world.phones.fail(channel, mode)
            for given in sorted(self.story.given, key=lambda each: each.after_seconds):
                await world.pass_time(seconds=max(0.0, given.after_seconds - world.elapsed))
                await self._send(given)
            await self._wait()
            await cast.close()
            return world.store.read(self._told)
        finally:
            await world.stop()
            await world.phones.close()

    async def _wait(self) -> None:
        """Let the rest of the time pass; where only the last resort is waited for, look for it in between."""
        world = self.world
        if not self.story.until_last_resort:
            await world.pass_time(seconds=max(0.0, self.story.until_seconds - world.elapsed))
            return
        while world.elapsed < LAST_RESORT_SECONDS_MAX and not world.store.read(_is_lost):
            await world.pass_time(seconds=STRIDE_SECONDS)

    async def _send(self, given: Given) -> None:
        world = self.world
        now = world.clock.now()
        how = Retelling(now=now, began=self._began, status=given.status, changes=given.changes)
        try:
            body = json.dumps(retell(world.ruleset.sources[given.source], given.content, how)).encode()
        except BadInputError as error:
            raise StoryError(error.say) from None
        done = await world.post(given.source, body)
        letters = world.store.read(lambda tx: tx.dead_letters(ALERTS_READ_MAX))
        self.rejected += [letter.say for letter in letters[: len(letters) - len(self.rejected)]]
        if isinstance(done, Ingested):
            titles = world.store.read(lambda tx: _titles(tx, given.source, done.accepted))
            self.taken += [
                Taken(at=now, title=titles.get(each.fingerprint, ""), accepted=each) for each in done.accepted
            ]

    def _began(self, identity: str, status: AlertStatus) -> datetime:
        """Return since when a condition fires: one that ends is forgotten, and begins anew next time."""
        now = self.world.clock.now()
        if status is AlertStatus.RESOLVED:
            return self.starts.pop(identity, now)
        return self.starts.setdefault(identity, now)

    def _told(self, tx: Tx) -> Played:
        incidents = tuple(reversed(tx.list_incidents(limit=INCIDENTS_READ_MAX)))
        records = tx.recent_alerts(ALERTS_READ_MAX)
        verdicts = [tx.verdict_of(record.alert.source, record.alert.fingerprint) for record in records]
        phones = self.world.phones
        return Played(
            began=self.world.began,
            ended=self.world.clock.now(),
            journal=tuple(tx.journal_after(0, JOURNAL_ROWS_MAX)),
            incidents=incidents,
            attempts=tuple(row for incident in incidents for row in tx.outbox_of(incident.number)),
            messages={sent.reference: phones.find(sent.reference) or sent for sent in phones.sent},
            taken=tuple(self.taken),
            verdicts=tuple(verdict for verdict in verdicts if verdict is not None),
            rejected=tuple(self.rejected),
        )


def _is_lost(tx: Tx) -> bool:
    """Return whether nobody is left to be paged: nothing more is due, or all are at the end of their main ladder."""
    if tx.next_due() is None:
        return True
    incidents = tx.list_incidents(limit=INCIDENTS_READ_MAX)
    return bool(incidents) and all(incident.main.state in AT_THE_END for incident in incidents)


def _titles(tx: Tx, source: str, accepted: Sequence[Accepted]) -> dict[str, str]:
    known = tx.alerts(source, [each.fingerprint for each in accepted])
    return {fingerprint: record.alert.title for fingerprint, record in known.items()}


def _known(what: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise StoryError(f'there is no {what} "{name}"; there are {", ".join(sorted(known)) or "none"}')
