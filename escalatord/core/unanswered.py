"""An incident that nobody acks, alone in its world: the engine's own steps until the last resort was told.

What is sent by a dead channel fails at once; what is sent by another arrives, and whoever gets it counts as told, but
for webhooks: they wake nobody. The people of such a climb are numbers, named one by one by the targets: who stands
behind a schedule when a tier is entered is said by the stages of `worst_case`.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from escalatord.core.alert import Severity
from escalatord.core.escalation import step
from escalatord.core.events import AlertFired, Delivery, Notify, Record, TimersDue
from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind, TimerKind
from escalatord.core.policy import (
    NEED_FIRST,
    LastResort,
    Policy,
    SeverityOverride,
    Target,
    TargetKind,
    Tier,
    TrackPolicy,
)
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.values import replace

STEPS_MAX = 2_000
"""Deadlines passed in one climb; more than the longest ladder with repeats and plans needs."""

OPENED_AT = datetime(2000, 1, 1, tzinfo=UTC)  # any instant would do: the people of a climb are named, not scheduled
CALLED = frozenset({NoticeKind.PAGE, NoticeKind.LAST_RESORT})
BEYOND_THE_CLIMB = frozenset({TimerKind.LAST_RESORT, TimerKind.STATUTORY, TimerKind.REMINDER})
ENTRIES = frozenset({"tier_entered", "last_resort"})
HASH = "climbed"
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackClimb:
    """How one track climbs. Seconds since the opening; NEVER (infinite) for what does not happen.

    `first` and `second` are when the first and a second human are told, `last_resort` when it is entered. `tried` are
    the people it tried to tell, in order; `within` is the window of the first tier it enters, 0 = it never starts.
    """

    first: float = NEVER
    second: float = NEVER
    last_resort: float = NEVER
    within: float = 0.0
    tried: tuple[str, ...] = ()


class Shape(NamedTuple):
    """What of a policy decides how one of its tracks climbs, but for who stands behind its targets."""

    severity: Severity
    track: TrackPolicy
    last_resort: LastResort
    override: SeverityOverride | None


class Climbed(NamedTuple):
    """How a track climbed; when tiers were entered, in seconds; and by which channels somebody was to be told."""

    track: TrackClimb
    entries: frozenset[float]
    channels: frozenset[str]


class Climb:
    """One incident that nobody acks. `worlds` are (seconds after the opening, what is so from then on)."""

    def __init__(self, worlds: Sequence[tuple[float, World]], severity: Severity, dead: Collection[str]) -> None:
        self.worlds = worlds
        self.dead = dead
        self.policy = worlds[0][1].policy(HASH)
        self.severity = severity
        self.now = OPENED_AT
        self.incident: Incident | None = None
        self.track = TrackClimb()
        self.first = ""
        self.entries: set[float] = set()
        self.channels: set[str] = set()

    def run(self) -> Climbed:
        """Climb until the last resort has told whom it can."""
        self._happen(opening(self.policy, self.severity))
        for _ in range(STEPS_MAX):
            due = self._due()
            if due is None:
                break
            self.now = max(self.now, due)
            self._happen(TimersDue())
        return Climbed(self.track, frozenset(self.entries), frozenset(self.channels))

    @property
    def seconds(self) -> float:
        """Return for how long the incident has been open."""
        return (self.now - OPENED_AT).total_seconds()

    def _happen(self, event: AlertFired | TimersDue | Delivery) -> None:
        """Let an event happen, and every failure of what it sends; that a message arrived changes no deadline."""
        world = next(world for after, world in reversed(self.worlds) if after <= self.seconds)
        waiting: deque[AlertFired | TimersDue | Delivery] = deque((event,))
        while waiting:
            outcome = step(self.incident, waiting.popleft(), self.now, world)
            self.incident = outcome.incident
            for effect in outcome.effects:
                if isinstance(effect, Notify) and effect.kind in CALLED:
                    if self._fails(effect, world):
                        failed = Attempt.FAILED_PERMANENT
                        waiting.append(Delivery(reference=effect.reference, status=failed, channel=effect.channel))
                elif isinstance(effect, Record) and effect.kind in ENTRIES:
                    self._enter(effect)

    def _fails(self, page: Notify, world: World) -> bool:
        """Note who is told by a page, unless its channel is dead; return whether it is."""
        self.channels.add(page.channel)
        if page.person not in self.track.tried:
            self.track = replace(self.track, tried=(*self.track.tried, page.person))
        if page.channel in self.dead:
            return True
        if world.ruleset.channels[page.channel].kind is not ChannelKind.WEBHOOK:
            if not self.first:
                self.first = page.person
                self.track = replace(self.track, first=self.seconds)
            elif page.person != self.first and self.track.second == NEVER:
                self.track = replace(self.track, second=self.seconds)
        return False

    def _enter(self, record: Record) -> None:
        self.entries.add(self.seconds)
        if record.kind == "last_resort":
            last = min(self.track.last_resort, self.seconds)
            self.track = replace(self.track, last_resort=last, within=self.track.within or NEVER)
        elif not self.track.within:
            self.track = replace(self.track, within=float(str(record.body["within_seconds"])))

    def _due(self) -> datetime | None:
        """Return the next deadline that can tell somebody for the first time."""
        timers = self.incident.timers if self.incident else ()
        return min((timer.at for timer in timers if timer.kind not in BEYOND_THE_CLIMB), default=None)


def shape_of(policy: Policy, track: TrackPolicy, severity: Severity) -> Shape:
    """Return how a track of a policy climbs at a severity that starts it, whoever stands behind its targets."""
    return Shape(
        severity=severity,
        track=replace(track, name="", tiers=without_people(track), when=None),
        last_resort=replace(policy.last_resort, page=()),
        override=policy.override(track, severity),
    )


def world_of(ruleset: Ruleset, shape: Shape, lists: Sequence[Sequence[int]]) -> World:
    """Return the world in which these people (by number) stand behind the lists of a policy of this shape."""
    targets = iter([tuple(Target(TargetKind.PERSON, str(number)) for number in people) for people in lists])
    tiers = tuple(replace(tier, page=next(targets), backup=next(targets)) for tier in shape.track.tiers)
    last_resort = replace(shape.last_resort, page=next(targets))
    policy = Policy(
        name="",
        hash=HASH,
        owner=next(iter(next(targets)), None),
        tracks=(replace(shape.track, tiers=tiers),),
        last_resort=last_resort,
        overrides={shape.severity: shape.override} if shape.override else {},
    )
    return World(ruleset=ruleset, policies={HASH: policy})


def opening(policy: Policy, severity: Severity) -> AlertFired:
    """Return the event that opens an incident under a policy."""
    return AlertFired(
        number=1,
        key="",
        source="",
        fingerprint="",
        title="",
        summary="",
        links={},
        service="",
        severity=severity,
        cause=Cause.THRESHOLD,
        rule="",
        policies=(policy,),
    )


def without_people(track: TrackPolicy) -> tuple[Tier, ...]:
    """Return the tiers of a track as nobody and nothing but their windows and plans."""
    return tuple(
        replace(tier, name="", template="", page=(), backup=(), need=NEED_FIRST, on_enter=()) for tier in track.tiers
    )
