"""What happened in a story, line by line: who was paged how, what came of it, who answered.

Written from the journal and the attempts, never guessed. Alert text in it is as hostile as ever: whoever prints a line
takes control characters out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalatord.core.gsm7 import septets
from escalatord.core.incident import Attempt, Cause, NoticeKind, Reason
from escalatord.core.policy import Policy
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration
from escalatord.core.values import replace
from escalatord.sim.line_words import BEHIND_THE_SCENES, FAILED, LEFT_BECAUSE, NOT_JUDGED, NOTICES, PAGING
from escalatord.sim.story import Played, Taken
from escalatord.store.rows import JournalEntry, OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened at the instant `at`, `seconds` after the beginning: `what`, and what came of it (`then`).

    `kind` is that of its journal entry, `alert` for one that pages nobody, `notice` for a message that does not page.
    """

    at: datetime
    seconds: float
    what: str
    then: str = ""
    kind: str = ""
    incident: int = 0
    track: str = ""
    people: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


def lines(played: Played, ruleset: Ruleset) -> tuple[Line, ...]:
    """Return what happened, in order of time."""
    return tuple(sorted(_Teller(played, ruleset).lines(), key=lambda line: line.at))


def paged(attempts: Iterable[OutboxRow], played: Played) -> list[OutboxRow]:
    """Return those attempts that reached a provider and demanded an ack of a person."""
    return [row for row in attempts if row.kind in PAGING and row.person and row.reference in played.messages]


def outcome(row: OutboxRow, kind: ChannelKind | None) -> str:
    """Return what came of an attempt where that is worth a word, like `no answer`; "" = it got there."""
    words = row.result.replace("_", " ")
    if row.state is Attempt.WITHDRAWN:
        return "taken back unsent"
    if row.state not in FAILED:
        return ""
    if kind is ChannelKind.CALL and words in ("no answer", "no key", "busy"):
        return words
    return f"failed: {words}" if words else "failed"


@dataclass(slots=True)
class _Teller:
    """Lines under way: attempts are told once, beside the entry that sent them, else by themselves."""

    played: Played
    ruleset: Ruleset
    left: dict[str, OutboxRow] = field(init=False)
    names: dict[str, dict[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.left = {row.reference: row for row in sorted(self.played.attempts, key=_number)}
        self.names = {policy.name: _tier_names(policy) for policy in self.ruleset.policies.values()}

    def lines(self) -> Iterator[Line]:
        for taken in self.played.taken:
            yield from self._alert(taken)
        for row in self.played.journal:
            if row.entry.incident and row.entry.kind not in BEHIND_THE_SCENES:
                yield self._entry(row.entry)
            elif row.entry.kind == "dead_letter":
                yield self._line(row.entry, "a body that nobody can read was kept, and the catch-all told")
            elif row.entry.kind == "command_failed":
                yield self._line(row.entry, "escalatord itself failed here", str(row.entry.body.get("error", "")))
        yield from self._notices()

    # ------------------------------------------------------------------------------------------------ alerts

    def _alert(self, taken: Taken) -> Iterator[Line]:
        accepted = taken.accepted
        if accepted.incident:
            return
        verdict = accepted.verdict
        if verdict is None:
            say = NOT_JUDGED.get(accepted.reason, accepted.reason.replace("_", " "))
            yield self._at(taken.at, f"{taken.title or accepted.fingerprint}: {say}", kind="alert")
            return
        why = "; ".join(f"{reason.rule}: {reason.say}" for reason in verdict.reasons)
        yield self._at(taken.at, f"{taken.title} pages nobody", why, kind="alert")
        if verdict.next_at is not None:
            wait = format_duration((verdict.next_at - taken.at).total_seconds())
            yield self._at(taken.at, f"the rules look again in {wait}", kind="alert")

    # ----------------------------------------------------------------------------------------------- entries

    def _entry(self, entry: JournalEntry) -> Line:
        words = WORDS.get(entry.kind)
        if words is not None:
            return words(self, entry)
        who = str(entry.body.get("person") or "")
        return self._line(entry, " ".join(filter(None, (entry.kind.replace("_", " "), who))))

    def opened(self, entry: JournalEntry) -> Line:
        body = entry.body
        by = {Cause.UNMATCHED: "no rule matches", Cause.RAISED: f"raised by {entry.actor}"}.get(
            Cause(str(body["cause"])), f"opened by {body['rule']}"
        )
        return self._line(entry, f"INC-{entry.incident} {body['severity']} {by}, policy {body['policy']}")

    def tier(self, entry: JournalEntry) -> Line:
        body = entry.body
        people = _people(body)
        rows = self._take(entry, NoticeKind.PAGE, people)
        because = LEFT_BECAUSE.get(str(body.get("reason")), "").format(before=body.get("from_tier"))
        name = self.names.get(str(body["policy"]), {}).get(f"{body['track']}/{body['to_tier']}", "")
        what = f"{because}tier {body['to_tier']}" + (f" {name}" if name else "")
        if entry.kind == "tier_repaged":
            what += f" again ({str(body.get('reason')).replace('_', ' ')})"
        elif body.get("cycle"):
            what += f", round {int(str(body['cycle'])) + 1}"
        late = f", {format_duration(float(str(body['lateness_seconds'])))} late" if body.get("late") else ""
        line = self._paging(entry, what + late, people, rows)
        passed_over = "".join(f"; not {who}: {why}" for who, why in _rejected(entry))
        return replace(line, then=line.then + passed_over)

    def skipped(self, entry: JournalEntry) -> Line:
        then = "; ".join(f"{who} {why}" for who, why in _rejected(entry)) or "nobody on call, and no backup"
        return self._line(entry, f"tier {entry.body['tier']} is empty", then)

    def more(self, entry: JournalEntry) -> Line:
        people = _people(entry.body)
        because = str(entry.body.get("reason")).replace("_", " ")
        return self._paging(entry, f"one more ({because})", people, self._take(entry, NoticeKind.PAGE, people))

    def asked_for(self, entry: JournalEntry) -> Line:
        actions = entry.body.get("actions")
        words = ", ".join(map(str, actions)) if isinstance(actions, list | tuple) else ""
        owner = f"a task of {entry.body['owner']}" if entry.body.get("owner") else ""
        return self._line(entry, f"asks for {words}", owner)

    def last_resort(self, entry: JournalEntry) -> Line:
        people = _people(entry.body)
        rows = self._take(entry, NoticeKind.LAST_RESORT, people)
        again = entry.body.get("reason") == Reason.LAST_RESORT_REPEATED
        what = "last resort again" if again else "every tier tried → last resort"
        return self._paging(entry, what, people, rows)

    def reminded(self, entry: JournalEntry) -> Line:
        people = _people(entry.body)
        return self._paging(entry, "reminder", people, self._take(entry, NoticeKind.REMIND, people))

    def step(self, entry: JournalEntry) -> Line:
        person, channel = str(entry.body["person"]), str(entry.body["channel"])
        rows = [
            row
            for kind in (NoticeKind.PAGE, NoticeKind.LAST_RESORT)
            for row in self._take(entry, kind, (person,), channel)
        ]
        instead = "fallback" if entry.body.get("reason") == Reason.FALLBACK else ""
        then = "; ".join(filter(None, (instead, *(self._outcome(row) for row in rows))))
        return self._line(entry, f"{person} {channel}", then, (person,), rows)

    def acknowledged(self, entry: JournalEntry) -> Line:
        body = entry.body
        after = format_duration(float(str(body["seconds"])))
        late = ", after it had moved on" if body.get("late") else ""
        until = "snoozed" if body.get("detail") == "snooze" else "time to ack"
        of = f", {body['acks']} of {body['needed']} needed" if body.get("needed") else ""
        return self._line(
            entry,
            f"ACK {body['person']} by {body['via']}",
            f"{until} {after}, tier {body['tier']}{late}{of}",
            (str(body["person"]),),
        )

    def raised(self, entry: JournalEntry) -> Line:
        return self._line(
            entry, f"severity {entry.body['from']} → {entry.body['to']}", str(entry.body.get("title", ""))
        )

    def joined(self, entry: JournalEntry) -> Line:
        return self._line(entry, f"another alert joins: {entry.body.get('title', '')}")

    def resolved(self, entry: JournalEntry) -> Line:
        by = f" by {entry.body['by']}" if entry.body.get("by") else ""
        if entry.body.get("outcome") == "suppressed":
            return self._line(entry, "muted while it still fires", str(entry.body.get("muted_by", "")))
        never = ", nobody had acked" if entry.body.get("outcome") == "resolved_unacked" else ""
        open_for = format_duration(float(str(entry.body["seconds"])))
        return self._line(entry, f"resolved{by}", f"open {open_for}{never}")

    def muted(self, entry: JournalEntry) -> Line:
        return self._line(entry, "an alert that still fires is muted", str(entry.body.get("why", "")))

    def statutory(self, entry: JournalEntry) -> Line:
        people = tuple(dict.fromkeys(row.person for row in self._peek(entry, NoticeKind.STATUTORY)))
        rows = self._take(entry, NoticeKind.STATUTORY, people)
        return self._paging(entry, f"{entry.body['regime']} clock", people, rows)

    def asked(self, entry: JournalEntry) -> Line:
        person = str(entry.body["person"])
        rows = self._take(entry, NoticeKind.ACK_QUESTION, (person,))
        return self._paging(entry, "still in hand?", (person,), rows)

    # ---------------------------------------------------------------------------------------------- messages

    def _notices(self) -> Iterator[Line]:
        """Yield the messages that no entry told of: who was called off, and tries that came later than planned."""
        grouped: dict[tuple[int, datetime, NoticeKind, str], list[OutboxRow]] = {}
        for row in self.left.values():
            if row.person and row.kind in NOTICES:
                grouped.setdefault((row.incident, row.due_at, row.kind, row.track), []).append(row)
        for (incident, at, kind, track), rows in grouped.items():
            people = tuple(dict.fromkeys(row.person for row in rows))
            yield Line(
                at=at,
                seconds=self._seconds(at),
                what=f"{NOTICES[kind]}: {', '.join(people)}",
                then=self._ways(rows, people),
                kind="notice",
                incident=incident,
                track=track,
                people=people,
                channels=tuple(dict.fromkeys(row.channel for row in rows)),
            )

    def _peek(self, entry: JournalEntry, kind: NoticeKind) -> list[OutboxRow]:
        track = entry.body.get("track")
        return [
            row
            for row in self.left.values()
            if (row.incident, row.kind, row.track, row.due_at) == (entry.incident, kind, track, entry.at)
        ]

    def _take(
        self, entry: JournalEntry, kind: NoticeKind, people: tuple[str, ...], channel: str = ""
    ) -> list[OutboxRow]:
        """Take out the attempts that an entry sent: those of one step; a failure is answered at once."""
        fit = [row for row in self._peek(entry, kind) if row.person in people and channel in ("", row.channel)]
        first = min((_turn(row) for row in fit), default=0)
        rows = [row for row in fit if _turn(row) == first]
        for row in rows:
            del self.left[row.reference]
        return rows

    def _paging(self, entry: JournalEntry, what: str, people: tuple[str, ...], rows: list[OutboxRow]) -> Line:
        return self._line(entry, f"{what} → {', '.join(people) or 'nobody'}", self._ways(rows, people), people, rows)

    def _ways(self, rows: list[OutboxRow], people: tuple[str, ...]) -> str:
        """Return by which channels people were told: once where it is the same for everybody."""
        by_person = {person: self._way([row for row in rows if row.person == person]) for person in people}
        ways = dict.fromkeys(by_person.values())
        if len(ways) <= 1:
            return next(iter(ways), "")
        return "; ".join(f"{person} {way}" for person, way in by_person.items() if way)

    def _way(self, rows: list[OutboxRow]) -> str:
        told = []
        for row in rows:
            sent = self.played.messages.get(row.reference)
            size = f" ({septets(sent.text)} septets)" if sent and sent.channel == ChannelKind.SMS else ""
            came_to = self._outcome(row)
            told.append(f"{row.channel}{size}" + (f" {came_to}" if came_to else ""))
        return ", ".join(told)

    def _outcome(self, row: OutboxRow) -> str:
        spec = self.ruleset.channels.get(row.channel)
        return outcome(row, spec.kind if spec else None)

    # ------------------------------------------------------------------------------------------------- lines

    def _seconds(self, at: datetime) -> float:
        return (at - self.played.began).total_seconds()

    def _at(self, at: datetime, what: str, then: str = "", *, kind: str) -> Line:
        return Line(at=at, seconds=self._seconds(at), what=what, then=then, kind=kind)

    def _line(
        self,
        entry: JournalEntry,
        what: str,
        then: str = "",
        people: tuple[str, ...] = (),
        rows: Iterable[OutboxRow] = (),
    ) -> Line:
        beside = "" if entry.body.get("main", True) else f"{entry.body.get('track')}: "
        several = f"INC-{entry.incident} " if len(self.played.incidents) > 1 and entry.kind != "opened" else ""
        return Line(
            at=entry.at,
            seconds=self._seconds(entry.at),
            what=f"{several}{beside}{what}",
            then=then,
            kind=entry.kind,
            incident=entry.incident,
            track=str(entry.body.get("track") or ""),
            people=people,
            channels=tuple(dict.fromkeys(row.channel for row in rows)),
        )

    def held(self, entry: JournalEntry) -> Line:
        body = entry.body
        until = datetime.fromisoformat(str(body["until"]))
        wait = format_duration((until - entry.at).total_seconds())
        return self._line(
            entry, f"held by hours of policy {body['hours_of']}", f"paged in {wait}, calendar {body['calendar']}"
        )

    def missed(self, entry: JournalEntry) -> Line:
        owner = str(entry.body.get("owner") or "")
        who = (owner,) if owner else ()
        rows = self._take(entry, NoticeKind.MILESTONE, who)
        what = f"missed: {str(entry.body['milestone']).replace('_', ' ')}"
        return self._line(entry, f"{what} → {owner or 'nobody has it'}", self._ways(rows, who), who, rows)

    def handed_over(self, entry: JournalEntry) -> Line:
        people = _people(entry.body)
        rows = self._take(entry, NoticeKind.HANDOVER, people)
        return self._paging(entry, f"shift of {entry.body['person']} over", people, rows)


WORDS: Mapping[str, Callable[[_Teller, JournalEntry], Line]] = {
    "opened": _Teller.opened,
    "tier_entered": _Teller.tier,
    "tier_repaged": _Teller.tier,
    "tier_skipped": _Teller.skipped,
    "paged_more": _Teller.more,
    "on_enter": _Teller.asked_for,
    "last_resort": _Teller.last_resort,
    "reminded": _Teller.reminded,
    "paged_step": _Teller.step,
    "acknowledged": _Teller.acknowledged,
    "severity_raised": _Teller.raised,
    "joined": _Teller.joined,
    "resolved": _Teller.resolved,
    "suppressed": _Teller.muted,
    "statutory": _Teller.statutory,
    "ack_asked": _Teller.asked,
    "held": _Teller.held,
    "milestone_missed": _Teller.missed,
    "shift_ended": _Teller.handed_over,
}


def _number(row: OutboxRow) -> tuple[int, ...]:
    """Return the numbers in a reference: the incident's, the step's, and the attempt's in it."""
    return tuple(int(part) for part in row.reference.removeprefix("i").split("-"))


def _turn(row: OutboxRow) -> int:
    return _number(row)[1]


def _rejected(entry: JournalEntry) -> list[tuple[str, str]]:
    """Return who was looked at and not paged, with why."""
    found = entry.body.get("rejected")
    return [(str(who), str(why)) for who, why in found] if isinstance(found, list | tuple) else []


def _people(body: Mapping[str, object]) -> tuple[str, ...]:
    found = body.get("people")
    return tuple(str(person) for person in found) if isinstance(found, list | tuple) else ()


def _tier_names(policy: Policy) -> dict[str, str]:
    """Return the names of tiers by `track/number`; a tier without a name of its own needs none."""
    named = {}
    for track in policy.tracks:
        for number, tier in enumerate(track.tiers, start=1):
            if tier.name != f"tier {number}":
                named[f"{track.name}/{number}"] = tier.name
    return named
