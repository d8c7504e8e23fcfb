"""What a message has to tell, as facts; and the short phrases that every wording of it shares.

A `Telling` is what is true at the instant of writing. `wording` and `wording_sms` turn it into text; nothing here knows
a channel. Alert content (title, summary, service, links) is hostile: it leaves this file as one line without control
characters, and never for a confidential case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from escalatord.core.alert import Severity
from escalatord.core.bundle import place_of
from escalatord.core.deadlines import is_stale
from escalatord.core.forecast import Rung, next_tier
from escalatord.core.gsm7 import one_line
from escalatord.core.hours import held_until
from escalatord.core.incident import Cause, Incident, NoticeKind, Reason, State, TimerKind, Track, TrackState, Via
from escalatord.core.milestones import is_past_due, watched_track
from escalatord.core.notice import Notice
from escalatord.core.policy import Policy
from escalatord.core.quorum import needed
from escalatord.core.ruleset import World
from escalatord.core.units import format_duration
from escalatord.core.wallclock import Style, format_local, zone_exists

TITLE_CHARACTERS_MAX = 200
NAME_CHARACTERS_MAX = 20
NAMES_SHOWN_MAX = 2
HOURS_SHOWN_MAX = 100
HOUR_SECONDS = 3600.0
Foresee: TypeAlias = Callable[[Incident, World, datetime, str], Rung | None]
ROUNDING_SECONDS = ((600, 60), (60, 15))
"""From how many seconds on a duration is rounded to how many."""

SHORT_SEVERITY: dict[Severity, str] = {
    Severity.INFO: "INFO",
    Severity.WARNING: "WARN",
    Severity.ERROR: "ERR",
    Severity.CRITICAL: "CRIT",
}
VIA_WORDS: dict[Via, str] = {
    Via.SMS: "sms",
    Via.LINK: "link",
    Via.CALL: "call",
    Via.CHAT: "chat",
    Via.WEB: "web",
    Via.CLI: "command line",
    Via.API: "api",
    Via.MAIL: "mail",
    Via.SOURCE: "monitoring",
    Via.CLOCK: "clock",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handles:
    """How the reader can answer: reply code, link, number to choose on the linked page ("" and 0 = not by that way)."""

    code: str = ""
    link: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Everything a message may say, and to whom.

    `person` "" is a room. `names` maps person ids to names, `zone` is the reader's. `tiers` counts those of the track.
    `next_at` and `next_people` are who follows if nobody acts (None = nobody known). `hold_seconds` is how long an ack
    holds; `stale` says that it fires for so long that it may be nothing any more. `regime` and `due_at` belong to a
    statutory clock ("" and None = none).
    """

    incident: Incident
    kind: NoticeKind
    now: datetime
    track: str
    tier: int = 0
    tiers: int = 0
    person: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    reason: Reason = Reason.OPENED
    actor: str = ""
    late: bool = False
    confidential: bool = False
    handles: Handles = field(default_factory=Handles)
    next_at: datetime | None = None
    next_people: tuple[str, ...] = ()
    hold_seconds: float = 0.0
    stale: bool = False
    regime: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A message in words: a first line or subject, the whole text, and the sentences of a call."""

    title: str
    text: str
    speech: tuple[str, ...] = ()


def tell(
    notice: Notice,
    incident: Incident,
    world: World,
    now: datetime,
    handles: Handles | None = None,
    foresee: Foresee = next_tier,
) -> Telling:
    """Return what `notice` has to tell its reader at `now`, looked up in `world`; `foresee` says who follows.

    A policy or person that is gone leaves its facts out; a message is never stopped for want of a detail.
    """
    track = incident.track(notice.track) or incident.main
    policy = world.policies.get(track.policy)
    reader = world.ruleset.people.get(notice.person)
    foreseeable = incident.state is not State.RESOLVED and all(t.policy in world.policies for t in incident.tracks)
    rung = foresee(incident, world, now, track.name) if foreseeable else None
    clock = policy.compliance if policy else None
    return Telling(
        incident=incident,
        kind=notice.kind,
        now=now,
        track=track.name,
        tier=notice.tier,
        tiers=_tiers(policy, track),
        person=notice.person,
        names=_names(incident, world, notice.actor, rung),
        zone=reader.timezone if reader else "UTC",
        reason=notice.reason,
        actor=notice.actor,
        late=notice.late,
        confidential=incident.confidential or (policy is not None and policy.confidential),
        handles=handles or Handles(),
        next_at=rung.at if rung else None,
        next_people=rung.people if rung else (),
        hold_seconds=policy.next_hold(incident.severity, _kept_seconds(track, now)) if policy else 0.0,
        stale=is_stale(incident, now),
        regime=clock.regime if clock else "",
        due_at=incident.opened_at + timedelta(seconds=clock.due_seconds) if clock else None,
    )


# ----------------------------------------------------------------------------------------------------- phrases


def track_of(telling: Telling) -> Track:
    """Return the track that the message is about."""
    return telling.incident.track(telling.track) or telling.incident.main


def subject(incident: Incident) -> str:
    """Return what is broken in a word: the service, else its source, else the incident's label; of a storm, where."""
    if incident.bundle is not None:
        return one_line(place_of(incident.bundle))[:TITLE_CHARACTERS_MAX]
    said_by_human = incident.cause is Cause.RAISED  # "human" is no name of anything that breaks
    named = incident.service or ("" if said_by_human else incident.source)
    return one_line(named)[:TITLE_CHARACTERS_MAX] or incident.label


def headline(incident: Incident) -> str:
    """Return the title as one harmless line without its full stop."""
    return one_line(incident.title)[:TITLE_CHARACTERS_MAX].rstrip(" .") or "no title"


def short_name(names: Mapping[str, str], person: str) -> str:
    """Return a person's first name; "somebody" for nobody, the id as it is for one who is not in the roster."""
    words = one_line(names.get(person, person)).split()
    return words[0][:NAME_CHARACTERS_MAX] if words else "somebody"


def join_names(names: Mapping[str, str], people: Sequence[str]) -> str:
    """Return names as one says them: Ana · Ana and Bo · Ana and 3 others; "" for nobody."""
    shown = [short_name(names, person) for person in people]
    if len(shown) > NAMES_SHOWN_MAX:
        return f"{shown[0]} and {len(shown) - 1} others"
    return " and ".join(shown)


def paged_before(track: Track, reader: str) -> tuple[str, ...]:
    """Return who was paged in the track, did not ack and no longer is paged, the reader left out, in order."""
    now_paged = {page.person for page in track.pages} | {reader, "", *track.helping}
    return tuple(dict.fromkeys(person for person, _channel in track.told if person not in now_paged))


def paged_now(track: Track) -> tuple[str, ...]:
    """Return who is being paged in the track; who has acked is left in peace."""
    return tuple(page.person for page in track.pages if page.person not in track.acks)


def roughly(seconds: float) -> str:
    """Return a duration a tired reader takes in at a glance: 40s, 4m45s, 5m, 1h, 1h30m; never negative."""
    left = max(0.0, seconds)
    step = next((step for least, step in ROUNDING_SECONDS if left >= least), 1)
    return format_duration(round(left / step) * step)


def exactly(seconds: float) -> str:
    """Return a duration to the second: 1m27s."""
    return format_duration(max(0.0, seconds))


def in_hours(seconds: float) -> str:
    """Return a statutory period in the law's unit: 72h, 30d."""
    hours = round(max(0.0, seconds) / HOUR_SECONDS)
    return f"{hours}h" if hours < HOURS_SHOWN_MAX or hours % 24 else f"{hours // 24}d"


def roughly_hours(seconds: float) -> str:
    """Return what is left of a statutory period: in hours, in minutes when less than one is left."""
    return roughly(seconds) if seconds < HOUR_SECONDS else in_hours(seconds)


def at_clock(at: datetime, zone: str, style: Style = Style.CLOCK) -> str:
    """Return an instant as the reader's clock shows it; in UTC when the zone is none."""
    return format_local(at, zone if zone_exists(zone) else "UTC", style)


def time_left_seconds(telling: Telling) -> float:
    """Return for how many more seconds the present tier (or last resort) waits, 0 when nothing waits."""
    kinds = (TimerKind.TIER_DEADLINE, TimerKind.LAST_RESORT)
    ends = [timer.at for timer in telling.incident.awake if timer.track == telling.track and timer.kind in kinds]
    return max(0.0, (min(ends) - telling.now).total_seconds()) if ends else 0.0


def open_seconds(incident: Incident, now: datetime) -> float:
    """Return for how many seconds an incident has been (or was) open."""
    return ((incident.resolved_at or incident.recovered_at or now) - incident.opened_at).total_seconds()


def pages_again_at(incident: Incident, track: str) -> datetime | None:
    """Return when a held track is asked about or paged again, None when it is not held."""
    kinds = (TimerKind.ACK_QUESTION, TimerKind.ACK_EXPIRY, TimerKind.SNOOZE_END)
    return min((t.at for t in incident.timers if t.track == track and t.kind in kinds), default=None)


def why_you(telling: Telling) -> str:
    """Return why this reader is paged and not somebody before them; "" when they are simply the first."""
    before = join_names(telling.names, paged_before(track_of(telling), telling.person))
    actor = short_name(telling.names, telling.actor)
    since = roughly(open_seconds(telling.incident, telling.now))
    if is_past_due(track_of(telling)):
        return what_is_past_due(telling)
    said: dict[Reason, str] = {
        Reason.PASSED_ON: f"{actor} passed it on",
        Reason.MANUAL: f"{actor} asked for you",
        Reason.UNACKNOWLEDGED: f"{actor} gave it back",
        Reason.NOBODY_ON_CALL: "Nobody was on call before you",
        Reason.NOT_REACHED: f"{before or 'Nobody before you'} could {'not ' if before else ''}be reached",
        Reason.ACK_EXPIRED: "The ack ran out",
        Reason.SNOOZE_ENDED: "The snooze is over",
        Reason.SEVERITY_RAISED: f"Now {telling.incident.severity}",
        Reason.NEW_ALERT_AFTER_ACK: "A new alert joined",
        Reason.REOPENED: "It fires again",
        Reason.HOURS_OPENED: f"Held {roughly(track_of(telling).held_seconds)} for office hours",
        Reason.REBASED: "The rules have changed",
        Reason.MILESTONE: f"Nobody has it after {since}",
    }
    if telling.reason in said:
        return said[telling.reason]
    helping = [person for person in track_of(telling).helping if person != telling.person]
    too_few = f"Only {join_names(telling.names, helping)} acked in {since}" if helping else ""
    return too_few or (f"{before} did not ack in {since}" if before and telling.tier > 1 else "")


def what_is_past_due(telling: Telling) -> str:
    """Return which milestone was missed last, and by whom: `Ana has it, not mitigated in 2h`."""
    climber = track_of(telling)
    held = watched_track(telling.incident, climber)
    owner = short_name(telling.names, held.owner or climber.spared)
    since = roughly(open_seconds(telling.incident, telling.now))
    missed = climber.overdue[-1] if climber.overdue else ""
    said = {
        TimerKind.MITIGATE_BY.value: f"not mitigated in {since}",
        TimerKind.UPDATE_EVERY.value: "and gives no update",
        TimerKind.RESOLVE_BY.value: f"not resolved in {since}",
    }
    return f"{owner} has it, {said[missed]}" if missed in said else f"{owner} has it"


def what_became(telling: Telling) -> str:
    """Return in one sentence how things stand: who has it, who is being paged, or that it is over."""
    incident, track, names = telling.incident, track_of(telling), telling.names
    if incident.state is State.RESOLVED or track.state is TrackState.ENDED:
        by = f" by {short_name(names, incident.resolved_by)}" if incident.resolved_by else ""
        if muted := muted_by(incident):
            ended = f"{_ended_at(telling)}, open for {roughly(open_seconds(incident, telling.now))}"
            return f"Muted {ended}, still firing: {muted}."
        verb = "Closed" if by else "Recovered"
        return f"{verb}{by} {_ended_at(telling)}, open for {roughly(open_seconds(incident, telling.now))}."
    if track.state is TrackState.ACKNOWLEDGED and track.acked_at:
        since = at_clock(track.acked_at, telling.zone)
        return f"{short_name(names, track.owner)} has it since {since} ({VIA_WORDS[track.acked_via or Via.WEB]})."
    if incident.quiet_since is not None:
        return f"Flapping, quiet since {at_clock(incident.quiet_since, telling.zone)}."
    until = held_until(track, incident.timers)
    if until is not None:
        return f"Held until {at_clock(until, telling.zone, Style.DAY)} by office hours; nobody is paged."
    if is_past_due(track) and track.state is TrackState.WAITING:
        return f"{what_is_past_due(telling)}, and nothing is overdue any more."
    people = join_names(names, paged_now(track)) or "Nobody"
    if track.state is TrackState.LAST_RESORT:
        return f"No tier acked. Last resort: {people}."
    verb = "are" if len(paged_now(track)) > 1 else "is"
    counted = f"{acks_so_far(names, track)} " if track.acks else ""
    return f"{counted}{people} {verb} being paged (tier {track.tier}/{telling.tiers or track.tier})."


def acks_so_far(names: Mapping[str, str], track: Track) -> str:
    """Return who has acked of how many that are needed: Ana has acked, 1 of 2 needed."""
    have = "has" if len(track.acks) == 1 else "have"
    return f"{join_names(names, track.acks)} {have} acked, {len(track.acks)} of {needed(track)} needed."


def muted_by(incident: Incident) -> str:
    """Return which mute ended an incident that is over, in one line; "" when something else did."""
    return "" if incident.resolved_by else one_line(incident.muted_by)


def what_next(telling: Telling) -> str:
    """Return in one sentence who follows and when if nobody acts; "" when nothing is known."""
    if telling.next_at is None or telling.incident.state is State.RESOLVED:
        return ""
    people = join_names(telling.names, telling.next_people)
    at = at_clock(telling.next_at, telling.zone, Style.CLOCK_ZONE)
    return f"Next: {people} at {at}." if people else f"Next step at {at}."


# ----------------------------------------------------------------------------------------------------- private


def _names(incident: Incident, world: World, actor: str, rung: Rung | None) -> dict[str, str]:
    """Return the names of those whom any sentence about the incident can mention, and no others."""
    told = {person for track in incident.tracks for person, _channel in track.told}
    paged = {page.person for track in incident.tracks for page in track.pages}
    owners = {who for track in incident.tracks for who in (track.owner, track.spared)}
    owners |= {incident.resolved_by, incident.acknowledged_by, actor}
    acked = {person for track in incident.tracks for person in (*track.acks, *track.helping)}
    people = world.ruleset.people
    return {
        who: people[who].name
        for who in told | paged | owners | acked | set(rung.people if rung else ())
        if who in people
    }


def _kept_seconds(track: Track, now: datetime) -> float:
    return (now - track.acked_at).total_seconds() if track.acked_at is not None else 0.0


def _tiers(policy: Policy | None, track: Track) -> int:
    if policy is None:
        return track.tier
    name = track.name.rpartition(":")[2]
    return next((len(ladder.tiers) for ladder in policy.tracks if ladder.name == name), track.tier)


def _ended_at(telling: Telling) -> str:
    ended = telling.incident.resolved_at or telling.incident.recovered_at or telling.now
    return at_clock(ended, telling.zone, Style.CLOCK_ZONE)
