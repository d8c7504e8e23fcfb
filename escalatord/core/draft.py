"""An incident while a step changes it: the value so far and the effects so far.

Mutable inside one call of `escalation.step` and nowhere else; what leaves is frozen.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from escalatord.core.events import Effect, Notify, Outcome, Record, Withdraw
from escalatord.core.incident import (
    LASTING,
    Incident,
    NoticeKind,
    Page,
    Reason,
    Timer,
    TimerKind,
    Track,
    TrackState,
    Via,
)
from escalatord.core.policy import ContactPlan, PlanStep, Policy, TrackKind, TrackPolicy
from escalatord.core.roster import ChannelKind, ChannelSpec, usable_channels
from escalatord.core.ruleset import World
from escalatord.core.values import replace

LATE_SECONDS = 15.0
QUIET_KINDS = (ChannelKind.SMS, ChannelKind.MAIL)
ROOM_KINDS = (ChannelKind.CHAT, ChannelKind.WEBHOOK)


class Draft:
    """The incident being changed, the instant, the world, and what follows.

    Tracks and timers change several times in a step, so they are kept apart and copied into the incident only when
    somebody looks at it whole.
    """

    _incident: Incident
    _tracks: tuple[Track, ...]
    _timers: tuple[Timer, ...]
    _pending: bool

    __slots__ = (
        "_incident",
        "_pending",
        "_timers",
        "_tracks",
        "actor",
        "called_off",
        "effects",
        "lateness_seconds",
        "now",
        "sends",
        "via",
        "world",
    )

    def __init__(self, incident: Incident, now: datetime, world: World) -> None:
        self.incident = incident
        self.now = now
        self.world = world
        self.effects: list[Effect] = []
        self.called_off: set[str] = set()
        self.sends = 0
        self.lateness_seconds = 0.0
        self.actor = ""
        self.via = Via.CLOCK

    @property
    def incident(self) -> Incident:
        """Return the incident as it is by now."""
        if self._pending:
            self._incident = replace(self._incident, tracks=self._tracks, timers=self._timers)
            self._pending = False
        return self._incident

    @incident.setter
    def incident(self, incident: Incident) -> None:
        self._incident = incident
        self._tracks = incident.tracks
        self._timers = incident.timers
        self._pending = False

    @property
    def open_seconds(self) -> float:
        """Return for how many seconds the incident has been open."""
        return (self.now - self._incident.opened_at).total_seconds()

    @property
    def late(self) -> bool:
        """Return whether this step happens later than it should have."""
        return self.lateness_seconds > LATE_SECONDS

    def outcome(self, reason: Reason) -> Outcome:
        """Return what leaves the step."""
        return Outcome(incident=self.incident, effects=tuple(self.effects), reason=reason)

    # ------------------------------------------------------------------------------------------------ looking

    def track(self, name: str) -> Track:
        """Return the track called `name`; KeyError when the incident has none (a defect)."""
        found = self.incident.track(name)
        if found is None:
            raise KeyError(name)
        return found

    def policy_of(self, track: Track) -> Policy:
        """Return the policy that a track is pinned to."""
        return self.world.policy(track.policy)

    def ladder_of(self, track: Track) -> TrackPolicy:
        """Return the tiers of a track. A second policy's track of the same name is called `policy:name`."""
        return self.policy_of(track).track(track.name.rpartition(":")[2])

    def is_compliance(self, track: Track) -> bool:
        """Return whether a track may not be skipped, snoozed, bundled, suppressed or ended without a decision."""
        return self.ladder_of(track).kind is TrackKind.COMPLIANCE

    def stays_until_decided(self, track: Track) -> bool:
        """Return whether the sender's resolve leaves a track open."""
        return self.is_compliance(track) or "auto_resolve" in self.policy_of(track).never

    def plan_of(self, track: Track) -> ContactPlan:
        """Return the contact plan of the tier (or last resort) that a track is at."""
        policy = self.policy_of(track)
        if track.state is TrackState.LAST_RESORT:
            return policy.last_resort.plan
        override = policy.override(self.ladder_of(track), self._incident.severity)
        if override is not None and override.plan is not None:
            return override.plan
        return self.ladder_of(track).tiers[track.tier - 1].plan

    def steps_of(self, track: Track, page: Page) -> tuple[PlanStep, ...]:
        """Return the steps by which a person is being paged: their own and the tier's together, or the tier's."""
        return page.plan or self.plan_of(track).steps

    def window_seconds(self, track: Track, tier: int) -> float:
        """Return how long a tier has at the incident's severity."""
        ladder = self.ladder_of(track)
        override = self.policy_of(track).override(ladder, self._incident.severity)
        if override is not None and override.within_seconds is not None:
            return override.within_seconds
        return ladder.tiers[tier - 1].within_seconds

    def has_receipts(self, channel: str) -> bool:
        """Return whether the channel's provider reports delivery."""
        spec = self.world.ruleset.channels.get(channel)
        return spec is not None and spec.receipts

    def usable_by(self, person: str) -> tuple[ChannelSpec, ...]:
        """Return the channels that reach a person now, rooms included; none when they are not in the roster."""
        who = self.world.ruleset.people.get(person)
        if who is None:
            return ()
        channels = self.world.ruleset.channels
        return tuple(channels[name] for name in usable_channels(who, channels.values(), self.world.unreachable))

    def ways_to(self, person: str, track: Track, kinds: Collection[ChannelKind]) -> tuple[str, ...]:
        """Return by which channels of these kinds to speak to a person: those that paged them, else one they have."""
        usable = [spec for spec in self.usable_by(person) if spec.kind in kinds]
        told = tuple(spec.name for spec in usable if (person, spec.name) in track.told)
        return told or tuple(spec.name for spec in usable if spec.address_key)[:1]

    # ------------------------------------------------------------------------------------------------ changing

    def put(self, track: Track) -> Track:
        """Replace the track of that name and return it."""
        self._tracks = tuple([track if old.name == track.name else old for old in self._tracks])
        self._pending = True
        return track

    def arm(self, kind: TimerKind, seconds: float, track: str, subject: str = "") -> None:
        """Set a deadline `seconds` from now."""
        self.arm_at(kind, self.now + timedelta(seconds=seconds), track, subject)

    def arm_at(self, kind: TimerKind, at: datetime, track: str, subject: str = "") -> None:
        """Set a deadline at an instant."""
        self._timers = (*self._timers, Timer(kind=kind, at=at, track=track, subject=subject))
        self._pending = True

    def disarm(self, track: str, kinds: Collection[TimerKind] = (), subject: str | None = None) -> None:
        """Clear a track's deadlines: of these kinds (none named: all but those that last), of one subject."""

        def goes(timer: Timer) -> bool:
            if timer.track != track or (subject is not None and timer.subject != subject):
                return False
            return timer.kind in kinds if kinds else timer.kind not in LASTING

        self._timers = tuple([timer for timer in self._timers if not goes(timer)])
        self._pending = True

    def is_armed(self, kind: TimerKind, track: str, subject: str) -> bool:
        """Return whether such a deadline runs."""
        return any((t.kind, t.track, t.subject) == (kind, track, subject) for t in self._timers)

    def deadline_of(self, track: str, kind: TimerKind = TimerKind.TIER_DEADLINE) -> datetime | None:
        """Return when the window of a track's tier ends (or another deadline of it), None when none runs."""
        return next((t.at for t in self._timers if t.track == track and t.kind is kind), None)

    def cap_deadline(self, track: str, at: datetime, kind: TimerKind = TimerKind.TIER_DEADLINE) -> None:
        """Let the window of a track's tier end at `at` at the latest: paging again never adds time."""
        self._timers = tuple(
            replace(t, at=min(t.at, at)) if t.track == track and t.kind is kind else t for t in self._timers
        )
        self._pending = True

    # --------------------------------------------------------------------------------------------------- effects

    def record(
        self,
        kind: str,
        reason: Reason,
        track: Track | None = None,
        person: str = "",
        body: Mapping[str, object] | None = None,
    ) -> None:
        """Add a journal entry; what every entry carries (policy, severity, track) is added here."""
        incident = self._incident
        facts: dict[str, object] = {"policy": incident.policy, "severity": incident.opened_severity.value}
        if track is not None:
            facts["track"] = track.name
            facts["tier"] = track.tier
            facts["main"] = track.name == self._tracks[0].name
        facts["reason"] = reason.value
        if person:
            facts["person"] = person
        facts.update(body or {})
        self.effects.append(
            Record(
                kind=kind,
                reason=reason,
                track=track.name if track else "",
                tier=track.tier if track else 0,
                person=person or self.actor,
                via=self.via,
                body=facts,
            )
        )

    def notify(self, kind: NoticeKind, track: Track, person: str, channel: str, reason: Reason) -> str:
        """Ask for one message and return its reference."""
        reference = f"i{self._incident.number}-{self._incident.turn}-{self.sends}"
        self.sends += 1
        self.effects.append(
            Notify(
                reference=reference,
                kind=kind,
                track=track.name,
                tier=track.tier,
                epoch=track.epoch,
                person=person,
                channel=channel,
                late=self.late,
                reason=reason,
                actor=self.actor,
            )
        )
        return reference

    def withdraw(self, track: str, person: str = "") -> None:
        """Take back every unsent page of a track ("" = all), to one person where one is named."""
        self.effects.append(Withdraw(track=track, person=person))

    def leave_in_peace(self, track: Track, person: str) -> None:
        """Let nothing that waits for its time, and nothing unsent, page a person of a track any more."""
        page = next((page for page in track.pages if page.person == person), None)
        for index in range(len(page.steps) if page is not None else 0):
            self.disarm(track.name, (TimerKind.PLAN_STEP, TimerKind.RECEIPT_OVERDUE), f"{person}/{index}")
        self.withdraw(track.name, person)

    def tell_those_told(self, kind: NoticeKind, track: Track, reason: Reason, spare: str) -> None:
        """Send a quiet notice to everyone paged in a track but `spare`, and bring its chat rooms up to date.

        Quiet means never by phone call: nobody is woken to be told to sleep. Who knows already that it is off their
        hands, and was not paged since, does not hear it twice; that it is over, everyone who was paged hears, once.
        """
        rooms = {name for name, spec in self.world.ruleset.channels.items() if spec.kind in ROOM_KINDS}
        paged = dict.fromkeys(person for person, _channel in track.told)
        for person in paged:
            knows = person in track.off_hook and kind is not NoticeKind.STAND_DOWN
            if person == spare or knows or person in self.called_off:
                continue
            in_room = any(one == person and channel in rooms for one, channel in track.told)
            for channel in self.ways_to(person, track, QUIET_KINDS)[:1]:
                # whoever was paged in a room sees it there; a text would wake them where the page did not
                if (person, channel) in track.told or not in_room:
                    self.called_off.add(person)
                    self.notify(kind, track, person, channel, reason)
        self.put(replace(track, off_hook=tuple(person for person in paged if person != spare)))
        self.refresh_rooms(track, reason)

    def refresh_rooms(self, track: Track, reason: Reason) -> None:
        """Bring each chat room and webhook that was told about this track up to date, once."""
        done = set()
        for _person, channel in track.told:
            spec = self.world.ruleset.channels.get(channel)
            if spec is not None and spec.kind in ROOM_KINDS and channel not in done:
                done.add(channel)
                self.notify(NoticeKind.UPDATE, track, "", channel, reason)
