"""A small engine for tests of answers: incidents in a dict, the real state machine, no store and no threads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from escalatord.core.codes import free_codes
from escalatord.core.escalation import step
from escalatord.core.events import TimersDue
from escalatord.core.incident import Attempt, Incident, NoticeKind, Reason
from escalatord.core.policy import Policy
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.schedule import Override
from escalatord.core.tokens import mint, token_hash
from escalatord.engine.commands import Answer, Answered, Command, Receipt, Result
from escalatord.errors import StoreUnavailableError
from escalatord.store.rows import CodeRow, DigestRow, LinkRow, MemberRow, OutboxRow
from tests.fakes.paging import OPENED, the_ruleset

T = TypeVar("T")
KEY = b"k" * 32


class StillClock:
    """A clock that stands where it was put."""

    def __init__(self, at: datetime = OPENED) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the instant it was put at."""
        return self.at

    def monotonic(self) -> float:
        """Return the seconds since the incident of the night opened."""
        return (self.at - OPENED).total_seconds()

    async def sleep(self, seconds: float) -> None:
        """Jump there."""
        self.at += timedelta(seconds=seconds)


class FakeEngine:
    """Answers commands at once. `down` makes it refuse; `commands` is what it was asked to do."""

    def __init__(self, *incidents: Incident, ruleset: Ruleset | None = None, now: datetime | None = None) -> None:
        self.ruleset = ruleset or the_ruleset()
        self.clock = StillClock(now or OPENED + timedelta(seconds=60))
        self.incidents = {incident.number: incident for incident in incidents}
        self.commands: list[Command] = []
        self.reasons: list[Reason] = []
        self.codes: list[CodeRow] = []
        self.links: dict[str, LinkRow] = {}
        self.digests: list[DigestRow] = []
        self.members: dict[str, list[MemberRow]] = {}
        self.rows: dict[str, OutboxRow] = {}
        self.alerts: dict[int, list[AlertRecord]] = {}
        self.dead: frozenset[tuple[str, str]] = frozenset()
        self.down = False
        self.untaken: list[tuple[str, str]] = []

    def on_untaken(self, via: str, result: str) -> None:
        """Count an ack that was not taken."""
        self.untaken.append((str(via), str(result)))

    # -------------------------------------------------------------------------------------------- setting up

    def give_code(self, person: str, incident: int, code: str = "", *, released: bool = False) -> str:
        """Let a code stand for an incident with a person and return it."""
        incidents_track = self.incidents[incident].main.name
        chosen = code or next(free_codes({row.code for row in self.codes if row.person == person}))
        self.codes.append(
            CodeRow(
                person=person,
                code=chosen,
                incident=incident,
                track=incidents_track,
                released_at=self.clock.now() if released else None,
            )
        )
        return chosen

    def give_link(self, person: str, incident: int, *, long: bool = False) -> str:
        """Mint a link for a person and return its token."""
        channel, track = ("mail" if long else "sms"), self.incidents[incident].main.name
        token = mint(KEY, incident, person, channel, track, long=long)
        self.links[token_hash(token)] = LinkRow(
            token_hash=token_hash(token), incident=incident, person=person, channel=channel, track=track
        )
        return token

    def give_row(self, person: str, incident: int, channel: str = "call") -> OutboxRow:
        """Put an attempt that was accepted into the outbox, of the epoch that is present now."""
        track = self.incidents[incident].main
        row = OutboxRow(
            reference=f"i{incident}-{track.epoch}-{person}",
            incident=incident,
            track=track.name,
            tier=track.tier,
            epoch=track.epoch,
            kind=NoticeKind.PAGE,
            person=person,
            channel=channel,
            lane=f"{channel}/sim",
            rank=3,
            late=False,
            reason=Reason.OPENED,
            actor="",
            due_at=self.clock.now(),
            state=Attempt.ACCEPTED,
        )
        self.rows[row.reference] = row
        return row

    def pass_on_to(self, incident: int) -> None:
        """Let an incident's first track enter its next tier, as after a timeout."""
        now = self.incidents[incident].next_due_at
        assert now is not None
        self.clock.at = max(self.clock.at, now)
        self._step(incident, TimersDue())

    # ------------------------------------------------------------------------------------------------ the port

    async def submit(self, command: Command) -> Result:
        """Do what a command means."""
        if self.down:
            raise StoreUnavailableError("the disk is away")
        self.commands.append(command)
        now = self.clock.now()
        if isinstance(command, Answer):
            before = self.incidents.get(command.incident)
            reason = self._step(command.incident, command.event)
            return Answered(incident=self.incidents.get(command.incident), before=before, reason=reason, at=now)
        if isinstance(command, Receipt):
            return Answered(incident=None, before=None, reason=Reason.DELIVERY_ADVANCED, at=now)
        return None

    async def read(self, work: Callable[["FakeEngine"], T]) -> T:
        """Hand itself out as the transaction."""
        if self.down:
            raise StoreUnavailableError("the disk is away")
        return work(self)

    def _step(self, number: int, event: object) -> Reason:
        incident = self.incidents.get(number)
        world = World(
            ruleset=self.ruleset, policies=self.policies({t.policy for t in incident.tracks} if incident else ())
        )
        outcome = step(incident, event, self.clock.now(), world)  # type: ignore[arg-type]  # any event of a test
        if outcome.incident is not None:
            self.incidents[number] = replace(outcome.incident)
        self.reasons.append(outcome.reason)
        return outcome.reason

    # ---------------------------------------------------------------------------------------------- the reader

    def digests_of(self, person: str, now: datetime) -> list[DigestRow]:
        """Return a person's digests."""
        return [digest for digest in self.digests if digest.person == person]

    def members_of(self, references: Sequence[str]) -> dict[str, list[MemberRow]]:
        """Return what is in digests."""
        return {reference: self.members[reference] for reference in references if reference in self.members}

    def load(self, numbers: Iterable[int]) -> dict[int, Incident]:
        """Return the incidents that exist, by number."""
        return {number: self.incidents[number] for number in numbers if number in self.incidents}

    def policies(self, hashes: Iterable[str]) -> dict[str, Policy]:
        """Return the policies that exist, by hash."""
        wanted = set(hashes)
        return {policy.hash: policy for policy in self.ruleset.policies.values() if policy.hash in wanted}

    def overrides(self, now: datetime) -> list[Override]:
        """Return no overrides."""
        return []

    def unreachable(self) -> frozenset[tuple[str, str]]:
        """Return what a test marked dead."""
        return self.dead

    def settings(self, prefix: str) -> dict[str, str]:
        """Return no settings."""
        return {}

    def codes_of(self, person: str, now: datetime) -> list[CodeRow]:
        """Return a person's codes."""
        return [row for row in self.codes if row.person == person]

    def code_for(self, person: str, incident: int) -> CodeRow | None:
        """Return a person's code for an incident."""
        return next((row for row in self.codes if (row.person, row.incident) == (person, incident)), None)

    def link(self, token_hash: str) -> LinkRow | None:
        """Return what a link is bound to."""
        return self.links.get(token_hash)

    def outbox_get(self, reference: str) -> OutboxRow | None:
        """Return one attempt."""
        return self.rows.get(reference)

    def alerts_of(self, incident: int, limit: int = 100) -> list[AlertRecord]:
        """Return the alerts of an incident."""
        return self.alerts.get(incident, [])[:limit]
