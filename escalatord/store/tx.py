"""One transaction, as everybody above the store sees it.

Flat on purpose: one object, one method for each thing that can be asked. The work is done by one module for each
family of tables. A `Tx` lives as long as the work it was given to, and never longer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from escalatord.core.incident import Incident, State
from escalatord.core.policy import Policy
from escalatord.core.rules import AlertRecord
from escalatord.core.values import replace
from escalatord.store import alerts, answers, digests, incidents, journal, outbox, runtime
from escalatord.store.alerts import Judged
from escalatord.store.forms import Printed
from escalatord.store.incidents import ConflictError, OpenCount
from escalatord.store.nodes import Nodes
from escalatord.store.rows import (
    CodeRow,
    DigestRow,
    JournalEntry,
    JournalRow,
    LinkRow,
    MemberRow,
    OutboxRow,
    Sent,
)
from escalatord.store.sql import is_aborted
from escalatord.store.standing import ALONE, Standing
from escalatord.store.tx_runtime import RunTime

__all__ = ["ConflictError", "Tx"]


class Tx(RunTime):
    """A transaction in progress. Instants are aware; lists and dicts handed out belong to the caller.

    `standing` is where it stands among several nodes, `nodes` what it hears of them.
    """

    __slots__ = ("_connection", "_heads", "nodes", "standing")

    def __init__(self, connection: Connection, standing: Standing = ALONE) -> None:
        super().__init__(connection)
        self._heads: journal.Heads = {}
        self.standing = standing
        self.nodes = Nodes(connection, standing.chain)

    @property
    def connection(self) -> Connection:
        """Return the connection, for what is about the whole database and not about any family of tables."""
        return self._connection

    @property
    def is_aborted(self) -> bool:
        """Return whether the database takes no more statements in this transaction because one has failed."""
        return is_aborted(self._connection)

    # incidents

    def load(self, numbers: Iterable[int]) -> dict[int, Incident]:
        """Return the incidents that exist among `numbers`, in that order."""
        return incidents.load(self._connection, numbers)

    def load_open(self, keys: Iterable[str]) -> dict[str, Incident]:
        """Return the open (not resolved) incidents by key."""
        return incidents.load_open(self._connection, keys)

    def load_over(self, keys: Iterable[str]) -> dict[str, Incident]:
        """Return by key the incident that was opened last of those that are over."""
        return incidents.load_over(self._connection, keys)

    def open_of_services(self, services: Iterable[str]) -> dict[str, int]:
        """Return the oldest open incident of each of these services that has one."""
        return incidents.open_of_services(self._connection, services)

    def due(self, now: datetime, limit: int, *, take: bool = False) -> list[Incident]:
        """Return open incidents whose deadline has come, the most severe first, then the longest overdue.

        `take` leaves out those that another node is working on, and keeps others off these until this one ends.
        """
        return incidents.due(self._connection, now, limit, take=take)

    def next_due(self) -> datetime | None:
        """Return the earliest deadline of any open incident or alert."""
        return incidents.next_due(self._connection)

    def save(self, items: Sequence[Incident], opened: Sequence[Printed] = ()) -> None:
        """Write snapshots over the version that was read (0 = new), and new ones that are rows already.

        ConflictError when one was changed meanwhile.
        """
        incidents.save(self._connection, items, [each.incident for each in opened])
        for incident in items:
            if incident.version == 0:
                self._heads.setdefault(incident.number, journal.Head())  # nobody wrote of it before: none is looked for

    def next_numbers(self, count: int) -> list[int]:
        """Return `count` incident numbers never given before; a rollback gives them back."""
        return incidents.next_numbers(self._connection, count)

    def list_incidents(
        self, states: Iterable[State] | None = None, limit: int = 200, before: int | None = None
    ) -> list[Incident]:
        """Return the newest incidents in any of `states` (None = all) with a number below `before`."""
        return incidents.list_incidents(self._connection, states, limit, before)

    def count_open(self) -> list[OpenCount]:
        """Return (policy, opened severity, state, how many, since when the oldest un-acked) of what is open."""
        return incidents.count_open(self._connection)

    def count_with_deadline(self) -> int:
        """Return how many open incidents have a deadline; all of them should."""
        return incidents.count_with_deadline(self._connection)

    # alerts

    def alerts(self, source: str, fingerprints: Iterable[str]) -> dict[str, AlertRecord]:
        """Return what is known of a source's alerts, by fingerprint."""
        return alerts.load(self._connection, source, fingerprints)

    def alerts_of(self, incident: int, limit: int = 100) -> list[AlertRecord]:
        """Return an incident's alerts: those that fire first, then the newest."""
        return alerts.of_incident(self._connection, incident, limit)

    def save_alerts(self, items: Sequence[Judged]) -> None:
        """Write alerts, new or known; without a verdict the one written before stays."""
        alerts.save(self._connection, items)

    def touch_alerts(self, source: str, fingerprints: Iterable[str], at: datetime) -> None:
        """Remember that these alerts were told again at `at`."""
        alerts.touch(self._connection, source, fingerprints, at)

    def due_alerts(self, now: datetime, limit: int, *, take: bool = False) -> list[AlertRecord]:
        """Return alerts that the rules asked to see again by `now`, the longest overdue first; `take` as in `due`."""
        return alerts.due(self._connection, now, limit, take=take)

    def verdict_of(self, source: str, fingerprint: str) -> dict[str, Any] | None:
        """Return the last verdict on an alert as JSON values, reasons included."""
        return alerts.verdict_of(self._connection, source, fingerprint)

    def alerts_since(self, at: datetime, limit: int) -> list[AlertRecord]:
        """Return alerts that fire, or were heard of since `at`, the newest episodes first."""
        return alerts.since(self._connection, at, limit)

    def firing_alerts(self, limit: int) -> list[AlertRecord]:
        """Return alerts that fire, the newest episodes first."""
        return alerts.firing(self._connection, limit)

    def alerts_of_source(self, source: str, limit: int) -> list[AlertRecord]:
        """Return what is known of a source's alerts."""
        return alerts.of_source(self._connection, source, limit)

    def recent_alerts(self, limit: int) -> list[AlertRecord]:
        """Return the alerts whose episodes reached us last, newest first."""
        return alerts.recent(self._connection, limit)

    # journal

    def append(self, entries: Sequence[JournalEntry], opened: Sequence[Printed] = ()) -> int:
        """Append entries, chained by incident, then the chains of new incidents; return the number of the last one.

        Those of incident 0 go to the chain of this process.
        """
        chain = self.standing.chain
        if chain:
            entries = [entry if entry.incident else replace(entry, incident=chain) for entry in entries]
        return journal.append(self._connection, self._heads, entries, [each.entries for each in opened])

    def journal_of(self, incident: int) -> list[JournalRow]:
        """Return an incident's entries (0 = the daemon's own), oldest first."""
        return journal.of_incident(self._connection, incident)

    def journal_between(self, since: datetime, until: datetime, limit: int) -> list[JournalRow]:
        """Return the oldest `limit` journal entries made in [since, until), oldest first."""
        return journal.between(self._connection, since, until, limit)

    def journal_latest(self, incident: int, limit: int) -> list[JournalRow]:
        """Return the newest entries of an incident (0 = the daemon's own), newest first."""
        return journal.latest_of(self._connection, incident, limit)

    def journal_after(self, seq: int, limit: int) -> list[JournalRow]:
        """Return at most `limit` entries with a number above `seq`, oldest first."""
        return journal.after(self._connection, seq, limit)

    def last_seq(self) -> int:
        """Return the number of the last journal entry, 0 when there is none."""
        return journal.last_seq(self._connection)

    def journal_of_kinds(self, seq: int, kinds: Sequence[str]) -> list[JournalRow]:
        """Return the entries of these kinds with a number above `seq`, oldest first."""
        return journal.of_kinds(self._connection, seq, kinds)

    def journal_seq_before(self, at: datetime) -> int:
        """Return the number of the last journal entry before `at`, 0 when there is none."""
        return journal.seq_before(self._connection, at)

    def last_incident_journaled(self) -> int:
        """Return the incident of which the journal spoke last, 0 when of none."""
        return journal.last_incident(self._connection)

    def verify(self, incident: int) -> bool:
        """Return whether an incident's chain is whole: nothing edited, deleted, put in, moved or cut off."""
        return journal.verify(self._connection, incident)

    # outbox

    def outbox_add(self, rows: Sequence[OutboxRow], opened: Sequence[Printed] = ()) -> None:
        """Write new attempts; a reference is used once, for ever."""
        outbox.add(self._connection, rows, [row for each in opened for row in each.attempts])

    def outbox_withdraw(self, incident: int, track: str, result: str, person: str = "") -> list[str]:
        """Withdraw what still waits and demands an answer on `track` ("" = on all) of one person, if one is named.

        Return the references.
        """
        return outbox.withdraw(self._connection, incident, track, result, person)

    def outbox_pending(
        self, now: datetime, limit_per_lane: Mapping[str, int], *, take: bool = False
    ) -> list[OutboxRow]:
        """Return what may be sent now, at most so many of each lane: higher rank first, then the longest due.

        `take` as in `due`.
        """
        return outbox.pending(self._connection, now, limit_per_lane, take=take)

    def outbox_claim(self, rows: Sequence[OutboxRow], lease_until: datetime) -> list[OutboxRow]:
        """Mark as `sending` those of `rows` that nobody claimed or settled since they were read."""
        return outbox.claim(self._connection, rows, lease_until)

    def outbox_get(self, reference: str) -> OutboxRow | None:
        """Return the attempt with that reference."""
        return outbox.get(self._connection, reference)

    def outbox_many(self, references: Sequence[str]) -> dict[str, OutboxRow]:
        """Return the attempts that exist among `references`."""
        return outbox.many(self._connection, references)

    def outbox_save(self, changes: Sequence[tuple[OutboxRow, OutboxRow]]) -> None:
        """Write attempts (as read, as now); ConflictError when one was changed meanwhile."""
        if outbox.save(self._connection, changes) != len(changes):
            raise ConflictError("an attempt was changed since it was read")

    def outbox_lanes(self) -> list[str]:
        """Return the lanes in which something waits."""
        return outbox.lanes(self._connection)

    def outbox_end_leases(self, at: datetime) -> None:
        """End every lease at `at`: what a dead process was sending may be claimed from then on."""
        outbox.end_leases(self._connection, at)

    def outbox_of(self, incident: int) -> list[OutboxRow]:
        """Return all attempts for an incident, by due time."""
        return outbox.of_incident(self._connection, incident)

    def outbox_sending(self) -> list[OutboxRow]:
        """Return the attempts that were begun and not heard of, the oldest lease first."""
        return outbox.sending(self._connection)

    def outbox_waiting(self, at: datetime, limit: int) -> list[OutboxRow]:
        """Return the attempts that have waited longest, due by `at`."""
        return outbox.waiting(self._connection, at, limit)

    def outbox_forgotten(self, at: datetime) -> int:
        """Return how many attempts were begun, and given up before `at` without anybody taking them up."""
        return outbox.forgotten(self._connection, at)

    def outbox_next_due(self) -> datetime | None:
        """Return when the next attempt may be claimed: due, or its lease over."""
        return outbox.next_due(self._connection)

    def threads(self, numbers: Iterable[int]) -> dict[tuple[int, str], str]:
        """Return the provider's ids of the first messages it took, by (incident, channel), without those of none."""
        return outbox.threads(self._connection, numbers)

    # limits and digests

    def sent_to(self, person: str, since: datetime, now: datetime) -> list[Sent]:
        """Return what was handed to providers for `person` after `since`; what is being sent counts as sent now."""
        return digests.sent_to(self._connection, person, since, now)

    def waiting_for(
        self, person: str, channels: Collection[str], until: datetime | None, limit: int
    ) -> list[OutboxRow]:
        """Return what waits to go to `person` by any of `channels` for the first time, due by `until` (None = ever)."""
        return digests.waiting_for(self._connection, person, channels, until, limit)

    def told(self, numbers: Iterable[int]) -> set[tuple[int, str, str, int]]:
        """Return whom which epoch of these incidents has reached: (incident, person, track, epoch)."""
        return digests.told(self._connection, numbers)

    def add_digest(self, digest: DigestRow, members: Sequence[MemberRow]) -> None:
        """Write a digest and what is in it."""
        digests.add(self._connection, digest, members)

    def digest(self, reference: str) -> DigestRow | None:
        """Return a digest by the reference of its attempt."""
        return digests.get(self._connection, reference)

    def digests_of(self, person: str, now: datetime) -> list[DigestRow]:
        """Return the digests that a reply of `person` may mean now, the oldest first."""
        return digests.of_person(self._connection, person, now)

    def members_of(self, references: Sequence[str]) -> dict[str, list[MemberRow]]:
        """Return what is in digests, by the digest's reference."""
        return digests.members_of(self._connection, references)

    def digest_of(self, references: Sequence[str]) -> dict[str, str]:
        """Return in which digest attempts went out, of those that did."""
        return digests.digest_of(self._connection, references)

    # policies

    def pin(self, policies: Iterable[Policy]) -> None:
        """Keep policies by hash; one that is known stays as it is."""
        runtime.pin(self._connection, policies)

    def policies(self, hashes: Iterable[str]) -> dict[str, Policy]:
        """Return the pinned policies that are known among `hashes`."""
        return runtime.load_policies(self._connection, hashes)

    # answers

    def codes_of(self, person: str, now: datetime) -> list[CodeRow]:
        """Return the codes that a reply of `person` may mean now: in use, or released less than 24 h ago."""
        return answers.codes_of(self._connection, person, now)

    def codes_in_use(self, person: str, now: datetime) -> set[str]:
        """Return the same as bare codes."""
        return answers.codes_in_use(self._connection, person, now)

    def codes_for(self, numbers: Iterable[int]) -> dict[tuple[str, int], str]:
        """Return the codes that stand for any of these incidents, by (person, incident)."""
        return answers.codes_for(self._connection, numbers)

    def code_for(self, person: str, incident: int) -> CodeRow | None:
        """Return the code that stands for `incident` with `person`."""
        return answers.code_for(self._connection, person, incident)

    def assign_codes(self, rows: Sequence[CodeRow]) -> None:
        """Let codes stand for incidents; ConflictError when one stands for another one."""
        answers.assign_codes(self._connection, rows)

    def release_codes(self, incident: int, at: datetime) -> None:
        """Start the rest of an incident's codes: it closed at `at`."""
        answers.release_codes(self._connection, incident, at)

    def hold_codes(self, incident: int) -> None:
        """Let an incident's codes stand for it again: it goes on."""
        answers.hold_codes(self._connection, incident)

    def add_links(self, rows: Sequence[LinkRow]) -> None:
        """Remember ack links by the hashes of their tokens."""
        answers.add_links(self._connection, rows)

    def link(self, token_hash: str) -> LinkRow | None:
        """Return what the link with that token hash is bound to."""
        return answers.link(self._connection, token_hash)
