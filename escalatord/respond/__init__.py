"""How humans answer: text messages, keys of a phone, ack links, chat buttons.

Everything said by a human becomes a command; everything told back is what the committed result says. This floor knows
the engine by five things only, declared here: `submit`, `read`, `ruleset`, `clock`, `on_untaken`.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from escalatord.clock import Clock
from escalatord.core.events import Ack
from escalatord.core.incident import Incident, Reason
from escalatord.core.policy import Policy
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Override
from escalatord.engine.commands import Answer, Answered, Command, HumanEvent, Result
from escalatord.store.rows import CodeRow, DigestRow, JournalRow, LinkRow, MemberRow, OutboxRow

T = TypeVar("T")

UNJOURNALED = frozenset({Reason.NO_INCIDENT, Reason.NO_SUCH_TRACK, Reason.STALE_ANSWER, Reason.ALREADY_RESOLVED})
"""What an ack comes to of which the journal says nothing."""


class Untaken(StrEnum):
    """Why an ack that somebody meant changed nothing, and is counted here because no journal holds it."""

    AMBIGUOUS = "ambiguous"
    REFUSED = "refused"


class Reader(Protocol):
    """What answers need to read; a store transaction has it all."""

    def load(self, numbers: Iterable[int]) -> dict[int, Incident]:
        """Return the incidents that exist, by number."""
        ...

    def policies(self, hashes: Iterable[str]) -> dict[str, Policy]:
        """Return the pinned policies that exist, by hash."""
        ...

    def overrides(self, now: datetime) -> list[Override]:
        """Return the overrides that have not ended."""
        ...

    def unreachable(self) -> frozenset[tuple[str, str]]:
        """Return (person, address key) pairs that cannot be reached."""
        ...

    def settings(self, prefix: str) -> dict[str, str]:
        """Return the settings whose names start so."""
        ...

    def journal_of_kinds(self, seq: int, kinds: Sequence[str]) -> list[JournalRow]:
        """Return the journal entries of these kinds with a number above `seq`, oldest first."""
        ...

    def journal_seq_before(self, at: datetime) -> int:
        """Return a number that every journal entry at or after `at` is above."""
        ...

    def codes_of(self, person: str, now: datetime) -> list[CodeRow]:
        """Return a person's codes in use, or released less than 24 h ago."""
        ...

    def code_for(self, person: str, incident: int) -> CodeRow | None:
        """Return a person's code for an incident."""
        ...

    def digests_of(self, person: str, now: datetime) -> list[DigestRow]:
        """Return the messages of several pages that a reply of a person may mean now."""
        ...

    def members_of(self, references: Sequence[str]) -> dict[str, list[MemberRow]]:
        """Return what such messages told of, by reference."""
        ...

    def link(self, token_hash: str) -> LinkRow | None:
        """Return what an ack link is bound to."""
        ...

    def outbox_get(self, reference: str) -> OutboxRow | None:
        """Return one attempt."""
        ...

    def alerts_of(self, incident: int, limit: int = 100) -> list[AlertRecord]:
        """Return the alerts of an incident."""
        ...


class Counting(Protocol):
    """Who counts what no journal holds."""

    @property
    def on_untaken(self) -> Callable[[str, str], None]:
        """Return who counts acks that were not taken: (via, `Untaken`)."""
        ...


class EnginePort(Counting, Protocol):
    """The engine as answers see it."""

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        ...

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules in force."""
        ...

    async def submit(self, command: Command) -> Result:
        """Commit what a command means and return its result; StoreUnavailableError when nothing was committed."""
        ...

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` in a read-only transaction."""
        ...


async def answer(engine: EnginePort, incident: int, event: HumanEvent) -> Answered:
    """Submit what a human says about one incident and return what it came to."""
    result = await engine.submit(Answer(incident=incident, event=event))
    if not isinstance(result, Answered):
        raise TypeError(f"an Answer was answered with {type(result).__name__}")
    count_refusal(engine, event, result.reason)
    return result


def count_refusal(engine: Counting, event: HumanEvent, reason: Reason) -> None:
    """Count an ack that came to nothing which is in the journal."""
    if isinstance(event, Ack) and reason in UNJOURNALED:
        engine.on_untaken(event.via, Untaken.REFUSED)
