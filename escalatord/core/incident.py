"""The incident as a value: its states, its deadlines, its tracks, who is being paged.

An incident is the durable thing that escalates. What can happen to it and what follows are in `events`; nothing here
decides anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escalatord.core.alert import Severity
from escalatord.core.policy import NEED_FIRST, Action, PlanStep

# ---------------------------------------------------------------------------------------------------- states


class State(StrEnum):
    """Where an incident is in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class TrackState(StrEnum):
    """Where a track is: waiting for its severity (or a milestone), held until office hours, climbing, acked, over."""

    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    ACKNOWLEDGED = "acknowledged"
    LAST_RESORT = "last_resort"
    ENDED = "ended"


class Cause(StrEnum):
    """Why an incident exists."""

    THRESHOLD = "threshold"
    EXCEPTION = "exception"
    UNMATCHED = "unmatched"
    RAISED = "raised"
    HEARTBEAT = "heartbeat"


class Via(StrEnum):
    """How a human (or the machine) spoke."""

    SMS = "sms"
    LINK = "link"
    CALL = "call"
    CHAT = "chat"
    WEB = "web"
    CLI = "cli"
    API = "api"
    MAIL = "mail"
    SOURCE = "source"
    CLOCK = "clock"


class TimerKind(StrEnum):
    """What a deadline is for."""

    TIER_DEADLINE = "tier_deadline"
    REMINDER = "reminder"
    PLAN_STEP = "plan_step"
    RECEIPT_OVERDUE = "receipt_overdue"
    ACK_EXPIRY = "ack_expiry"
    ACK_QUESTION = "ack_question"
    SNOOZE_END = "snooze_end"
    LAST_RESORT = "last_resort"
    STATUTORY = "statutory"
    FLAP_END = "flap_end"
    HOURS_START = "hours_start"
    MITIGATE_BY = "mitigate_by"
    UPDATE_EVERY = "update_every"
    RESOLVE_BY = "resolve_by"
    SHIFT_END = "shift_end"


LASTING = frozenset({TimerKind.STATUTORY, TimerKind.MITIGATE_BY, TimerKind.RESOLVE_BY})
"""Deadlines that no ack, climb or hold of their track clears."""


class Attempt(StrEnum):
    """What is known of one attempt; a lattice, see `retry.advance`."""

    PENDING = "pending"
    SENDING = "sending"
    BUNDLED = "bundled"
    ACCEPTED = "accepted"
    FAILED_TEMPORARY = "failed_temporary"
    DELIVERED = "delivered"
    FAILED_PERMANENT = "failed_permanent"
    WITHDRAWN = "withdrawn"


class NoticeKind(StrEnum):
    """What a message says to the one who gets it."""

    PAGE = "page"
    REMIND = "remind"
    LAST_RESORT = "last_resort"
    ACK_QUESTION = "ack_question"
    ACKED = "acked"
    STAND_DOWN = "stand_down"
    UPDATE = "update"
    STATUTORY = "statutory"
    DIGEST = "digest"
    MILESTONE = "milestone"
    HANDOVER = "handover"


class Reason(StrEnum):
    """Why a step did what it did, or did nothing; logged, shown and counted."""

    OPENED = "opened"
    JOINED = "joined"
    ALERT_UPDATED = "alert_updated"
    SEVERITY_RAISED = "severity_raised"
    SEVERITY_FELL = "severity_fell"
    NEW_ALERT_AFTER_ACK = "new_alert_after_ack"
    ALERT_SETTLED = "alert_settled"
    RECOVERED = "recovered"
    RECOVERED_COMPLIANCE_OPEN = "recovered_compliance_open"
    SUPPRESSED = "suppressed"
    QUIET = "quiet"
    REOPENED = "reopened"
    BUNDLED = "bundled"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGED_LATE = "acknowledged_late"
    ACK_COUNTED = "ack_counted"
    ACK_EXTENDED = "ack_extended"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    ALREADY_YOURS = "already_yours"
    JOINED_RESPONSE = "joined_response"
    TAKEN_OVER = "taken_over"
    UNACKNOWLEDGED = "unacknowledged"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    SNOOZED = "snoozed"
    SNOOZE_REFUSED = "snooze_refused"
    SNOOZE_ENDED = "snooze_ended"
    ACK_ASKED = "ack_asked"
    ACK_EXPIRED = "ack_expired"
    TIMEOUT = "timeout"
    NOBODY_ON_CALL = "nobody_on_call"
    NOT_REACHED = "not_reached"
    PASSED_ON = "passed_on"
    MANUAL = "manual"
    EXCEPTION = "exception"
    MILESTONE = "milestone"
    EXHAUSTED = "exhausted"
    LAST_RESORT_REPEATED = "last_resort_repeated"
    REMINDED = "reminded"
    PLAN_STEP = "plan_step"
    NO_RECEIPT = "no_receipt"
    DELIVERY_ADVANCED = "delivery_advanced"
    DELIVERY_UNCHANGED = "delivery_unchanged"
    DELIVERY_STALE = "delivery_stale"
    FALLBACK = "fallback"
    STATUTORY_DUE = "statutory_due"
    STALE_TIER = "stale_tier"
    STALE_ANSWER = "stale_answer"
    NOT_DUE = "not_due"
    NOTED = "noted"
    RESOLVED = "resolved"
    RESOLVE_NEEDS_DECISION = "resolve_needs_decision"
    ALREADY_RESOLVED = "already_resolved"
    NO_INCIDENT = "no_incident"
    NO_SUCH_TRACK = "no_such_track"
    DUPLICATE = "duplicate"
    PERSON_REMOVED = "person_removed"
    REBASED = "rebased"
    SAME_POLICY = "same_policy"
    HELD = "held"
    HOURS_OPENED = "hours_opened"
    MITIGATED = "mitigated"
    ALREADY_MITIGATED = "already_mitigated"
    MITIGATION_DUE = "mitigation_due"
    UPDATE_DUE = "update_due"
    RESOLUTION_DUE = "resolution_due"
    SHIFT_ENDED = "shift_ended"
    SHIFT_GOES_ON = "shift_goes_on"


# ------------------------------------------------------------------------------------------------ the incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A deadline as data. `subject` says of what: a person, or `person/step`; "" for the track itself."""

    kind: TimerKind
    at: datetime
    track: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How far one step of a person's contact plan got.

    `channel` is the one in use; `fallback` how many of the step's `if_failed` channels were used up; `reference`
    that of the attempt in flight ("" before the first); `status` what is known of that attempt.
    """

    channel: str
    fallback: int = 0
    reference: str = ""
    status: Attempt = Attempt.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One person being paged in the present epoch of a track.

    `plan` are the steps of the person's own contact plan and the tier's together, () = the tier's as they are.
    """

    person: str
    tier: int
    target: str
    at: datetime
    late: bool = False
    steps: tuple[StepProgress, ...] = ()
    plan: tuple[PlanStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One ladder being climbed. `tier` counts from 1 (0 = not entered); `epoch` grows at every entry.

    `top` is the highest tier ever entered, `told` everyone ever paged here as (person, channel), for stand-downs.
    `need` is how many have to ack where it is (see `quorum`), `acks` are those who did since it got there, in order:
    the first becomes the `owner` when there are enough. `helping` are those who acked at a tier that was left before
    enough had. `off_hook` are those who were told so since they were last paged, and need not hear it twice.
    `started_at` is when its milestones began to count. `held_since` and `held_seconds` say how long its pages waited
    for office hours (now, and altogether). `heirs` took over the schedule of the owner, whose shift is over; `silences`
    counts the updates that were missed in a row. Of a track of missed milestones (see `milestones`), `overdue` names
    these, and `spared` is who owns what is overdue: they hear of it otherwise.
    """

    name: str
    policy: str
    state: TrackState = TrackState.WAITING
    tier: int = 0
    top: int = 0
    epoch: int = 0
    cycle: int = 0
    entered_at: datetime | None = None
    pages: tuple[Page, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    off_hook: tuple[str, ...] = ()
    owner: str = ""
    acked_at: datetime | None = None
    acked_via: Via | None = None
    acked_tier: int = 0
    need: int = NEED_FIRST
    acks: tuple[str, ...] = ()
    helping: tuple[str, ...] = ()
    decision: str = ""
    started_at: datetime | None = None
    held_since: datetime | None = None
    held_seconds: float = 0.0
    heirs: tuple[str, ...] = ()
    silences: int = 0
    overdue: tuple[str, ...] = ()
    spared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """How an incident stood when it ended by itself: what goes on from there when it soon fires again."""

    tracks: tuple[Track, ...]
    timers: tuple[Timer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What a storm's alerts have in common. `group` is the rule that bundles, `by` its labels with their values.

    `over` is how many incidents opened on their own before it, within `window_seconds`. `services` and `labels`
    (`name=value`) count alerts, each up to a number of names; `cause` is what probably broke, `why` says why we think
    so ("" = nothing is known).
    """

    group: str
    by: tuple[tuple[str, str], ...]
    over: int
    window_seconds: float
    services: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    cause: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a tier asked of somebody when it was entered: open until a human's note says that it is done."""

    action: Action
    asked_at: datetime
    track: str
    tier: int
    owner: str = ""
    done_at: datetime | None = None
    done_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The durable thing that escalates; one snapshot row in the store.

    `firing` counts the alerts still firing by severity rank (info … critical). `severity` is the worst it has been,
    `opened_severity` what it opened with (the label of every figure about it).
    `policy` is the name of the main policy; each track carries the hash of the policy that it is pinned to.
    `version` grows by one with every stored change (compare-and-set), `turn` with every step that changed something;
    attempts are numbered by it. `muted_by` says which mute took its last alert away ("" = none did).
    `reopened` counts how often it fired again soon after its end; `stood` is how it stood then. One that flaps and is
    quiet for now has a `quiet_since`: its deadlines sleep, and one (FLAP_END) says when it is over. `bundle` is set on
    an incident that holds a storm.
    """

    number: int
    key: str
    version: int = 0
    turn: int = 0
    state: State = State.OPEN
    severity: Severity
    opened_severity: Severity
    cause: Cause
    policy: str
    service: str
    source: str
    rule: str
    title: str
    summary: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    confidential: bool = False
    opened_at: datetime
    firing: tuple[int, int, int, int] = (0, 0, 0, 0)
    alerts: int = 0
    truncated: int = 0
    tracks: tuple[Track, ...] = ()
    timers: tuple[Timer, ...] = ()
    tasks: tuple[Task, ...] = ()
    first_paged_at: datetime | None = None
    first_acked_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_via: Via | None = None
    mitigated_at: datetime | None = None
    mitigated_by: str = ""
    recovered_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str = ""
    muted_by: str = ""
    reopened: int = 0
    quiet_since: datetime | None = None
    stood: Stood | None = None
    bundle: Bundle | None = None

    @property
    def label(self) -> str:
        """Return the name humans use: INC-142."""
        return f"INC-{self.number}"

    @property
    def main(self) -> Track:
        """Return the track that speaks for the incident: the first one."""
        return self.tracks[0]

    @property
    def next_due_at(self) -> datetime | None:
        """Return the earliest deadline, None when closed."""
        return min((timer.at for timer in self.awake), default=None)

    @property
    def awake(self) -> tuple[Timer, ...]:
        """Return the deadlines that count now: of one that is quiet for now, only the end of its quiet."""
        if self.quiet_since is None:
            return self.timers
        return tuple(timer for timer in self.timers if timer.kind is TimerKind.FLAP_END)

    def track(self, name: str) -> Track | None:
        """Return the track called `name`, None when there is none."""
        return next((track for track in self.tracks if track.name == name), None)
