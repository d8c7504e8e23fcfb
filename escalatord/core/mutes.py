"""What can mute alerts, as values: silences (run time), maintenance windows and inhibitions (rules).

- A silence or window has a span, from and until excluded; a window may come back every week by wall-clock hours.
- A weekly window opens at the earlier and closes at the later reading of its wall time, and lasts at least as long as
  it is written: a clock change may make it longer, never shorter (decision 0010). Windows that touch are one.
- An inhibition mutes by matchers whose values may hold `{{ label }}`: the label of the alert that causes it. It is put
  in as text; behind `=~` and `!~` it matches itself alone. A cause without the label mutes nothing.
- Whether a mute applies at all is `suppress.suppress`, which is never asked for exceptions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from escalatord.core.calendar import DAY, Hours
from escalatord.core.matchers import Matcher, MatcherIndex, Matchers, MatchOp, literal, parse_matchers
from escalatord.core.wallclock import readings, to_local

DAYS_AHEAD = 8
DAYS_BACK = 2
FILLED_MAX = 1_024
HOLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}", re.ASCII)
MARK = re.compile("\ue000([A-Za-z_][A-Za-z0-9_]*)\ue001", re.ASCII)
MARKS = ("\ue000", "\ue001")


class MuteKind(StrEnum):
    """The three ways to be muted."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    INHIBIT = "inhibit"


class Span(NamedTuple):
    """From `start` to before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """Hours that come back every week, in a zone."""

    hours: tuple[Hours, ...]
    timezone: str

    def spans(self, at: datetime) -> list[Span]:
        """Return the spans around the instant `at`, in order: what lies up to a week ahead, none touching another."""
        found: list[Span] = []
        for span in sorted(self._daily(at)):
            if found and span.start <= found[-1].end:
                found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
            else:
                found.append(span)
        return found

    def _daily(self, at: datetime) -> Iterator[Span]:
        today = to_local(at, self.timezone).date()
        for offset in range(-DAYS_BACK, DAYS_AHEAD + 1):
            day = today + offset * DAY
            for hours in self.hours:
                if day.weekday() in hours.days:
                    opens = datetime.combine(day, hours.start)
                    closes = datetime.combine(day if hours.start < hours.end else day + DAY, hours.end)
                    start = readings(opens, self.timezone)[0]
                    yield Span(start, max(readings(closes, self.timezone)[1], start + (closes - opens)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A mute that a human made at run time; `kind` is maintenance where it was announced as such. `id` 0 = not kept."""

    id: int = 0
    kind: MuteKind = MuteKind.SILENCE
    match: Matchers
    start: datetime
    end: datetime
    why: str
    by: str
    apply_to_open: bool = False

    @property
    def key(self) -> str:
        """Return the name that nothing else has."""
        return f"{self.kind}/{self.id}"

    @property
    def label(self) -> str:
        """Return the name for humans."""
        return f"{self.kind} {self.id}"

    def spans(self, at: datetime) -> Sequence[Span]:
        """Return when it mutes."""
        del at
        return (Span(self.start, self.end),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window in the rules, once or every week. `number` counts the entries of `suppress` from 1."""

    number: int = field(compare=False)
    match: Matchers
    once: Span | None = None
    every: Weekly | None = None
    why: str
    by: str
    apply_to_open: bool = False

    @property
    def key(self) -> str:
        """Return the name that nothing else has."""
        return f"rules/{self.number}"

    @property
    def label(self) -> str:
        """Return the name for humans."""
        return MuteKind.MAINTENANCE.value

    @property
    def kind(self) -> MuteKind:
        """Return which way to be muted it is."""
        return MuteKind.MAINTENANCE

    def spans(self, at: datetime) -> Sequence[Span]:
        """Return when it mutes, around the instant `at`."""
        if self.every is not None:
            return self.every.spans(at)
        return (self.once,) if self.once is not None else ()


class Hole(NamedTuple):
    """A comparison with labels of a cause in its value: `pieces` of text, and between them `labels`."""

    name: str
    op: MatchOp
    pieces: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Matchers with labels of a cause in them: `fixed` those without, `holes` the others."""

    text: str
    fixed: Matchers = field(compare=False)
    holes: tuple[Hole, ...] = field(compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels of the cause that it names."""
        return tuple(dict.fromkeys(label for hole in self.holes for label in hole.labels))

    def filled(self, labels: Mapping[str, str]) -> Matchers | None:
        """Return the matchers for a cause with these labels, None when it lacks one of them."""
        made = list(self.fixed.matchers)
        for hole in self.holes:
            expression = hole.op in (MatchOp.MATCHES, MatchOp.NOT_MATCHES)
            value = hole.pieces[0]
            for label, piece in zip(hole.labels, hole.pieces[1:], strict=True):
                said = labels.get(label, "")
                if not said:
                    return None
                value += (literal(said) if expression else said) + piece
            try:
                made.append(_matcher(hole.name, hole.op, value))
            except ValueError:  # too large an expression: what cannot be compared mutes nothing
                return None
        return Matchers(matchers=tuple(made), text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibit:
    """Muted because another is open: `when` names the rule or policy whose incident it takes."""

    number: int = field(compare=False)
    when: str
    mute: Template
    why: str
    by: str
    apply_to_open: bool = False

    @property
    def match(self) -> Matchers:
        """Return what an alert has to match whatever the cause is."""
        return self.mute.fixed

    @property
    def key(self) -> str:
        """Return the name that nothing else has."""
        return f"rules/{self.number}"

    @property
    def label(self) -> str:
        """Return the name for humans."""
        return MuteKind.INHIBIT.value

    @property
    def kind(self) -> MuteKind:
        """Return which way to be muted it is."""
        return MuteKind.INHIBIT


Timed: TypeAlias = Silence | Maintenance
Mute: TypeAlias = Silence | Maintenance | Inhibit
Filed: TypeAlias = Maintenance | Inhibit
"""What the rules may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedBy:
    """Who mutes an alert, why, and until when (None = until the incident `incident` of an inhibition is over).

    `keys` are all mutes that it takes; `since` is when this alert was first muted without a break, `ended_at` when it
    was no longer.
    """

    kind: MuteKind
    name: str
    what: str
    why: str
    by: str
    until: datetime | None = None
    incident: int = 0
    apply_to_open: bool = False
    keys: tuple[str, ...] = ()
    since: datetime | None = None
    ended_at: datetime | None = None

    @property
    def say(self) -> str:
        """Return it in words, without the time: `silence 7 (deploy, by ana)`."""
        over = f", until INC-{self.incident} is over" if self.incident and self.until is None else ""
        return f"{self.name} ({self.why}, by {self.by}){over}"


class Silences:
    """The silences of a moment, found by what they match."""

    __slots__ = ("_index", "all")

    def __init__(self, silences: Sequence[Silence] = ()) -> None:
        self.all = tuple(silences)
        self._index = MatcherIndex([silence.match for silence in self.all])

    def __bool__(self) -> bool:
        return bool(self.all)

    def matching(self, labels: Mapping[str, str], traits: Mapping[str, tuple[str, ...]]) -> Iterator[Silence]:
        """Yield those that match an alert, whatever the time."""
        for number in self._index.candidates(labels, traits):
            if self.all[number].match.matches(labels, traits):
                yield self.all[number]


NO_SILENCES = Silences()


def parse_mute(text: str) -> Template:
    """Return the matchers written in `text`, with `{{ label }}` in some values; ValueError with a sentence."""
    if any(mark in text for mark in MARKS):
        raise ValueError("a character for private use cannot stand in matchers")
    marked = HOLE.sub(lambda hole: f"{MARKS[0]}{hole[1]}{MARKS[1]}", text)
    fixed: list[Matcher] = []
    opened: list[Hole] = []
    for matcher in parse_matchers(marked).matchers:
        if MARKS[0] in matcher.name:
            raise ValueError('a label of the cause may stand in a value only, like region="{{ region }}"')
        if "{{" in matcher.value or "}}" in matcher.value:
            raise ValueError("between {{ and }} stands the name of a label, and nothing else")
        parts = MARK.split(matcher.value)
        if len(parts) == 1:
            fixed.append(matcher)
        else:
            opened.append(Hole(matcher.name, matcher.op, tuple(parts[::2]), tuple(parts[1::2])))
    return Template(text=text, fixed=Matchers(matchers=tuple(fixed), text=text), holes=tuple(opened))


@lru_cache(maxsize=FILLED_MAX)
def _matcher(name: str, op: MatchOp, value: str) -> Matcher:
    """Return a matcher; the causes of a storm are mostly of few regions, and compiling costs more than matching."""
    return Matcher(name=name, op=op, value=value)
