"""Many alerts in one transaction come to what each would have come to in one of its own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from escalatord.config.load import load
from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.ruleset import Ruleset
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Ingest, Ingested, PeopleGone
from escalatord.engine.ledger import Ledger
from escalatord.store.store import Store
from tests.bench.rules import rules

NOW = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)


@pytest.fixture
def ruleset(tmp_path: Path) -> Ruleset:
    """Give rules by which each alert pages Ana, then Bo, in an incident of its own."""
    (tmp_path / "rules.yaml").write_text(rules(1))
    return load(tmp_path / "rules.yaml").ruleset


@contextmanager
def a_batch(path: Path, ruleset: Ruleset) -> Iterator[tuple[Store, Batch]]:
    """Give what commits commands to a new database."""
    store = Store(f"sqlite:///{path}")
    store.open()
    try:
        batch = Batch(store, ruleset, b"k" * 32)
        batch.refresh(NOW)
        batch.survey(NOW)
        yield store, batch
    finally:
        store.close()


def told(numbers: Sequence[int]) -> Ingest:
    """Return a body of alerts."""
    alerts = [
        Alert(
            source="alertmanager",
            fingerprint=f"{number:016x}",
            status=AlertStatus.FIRING,
            starts_at=NOW,
            title=f"number {number} says 100 %",
            summary='"quoted" \\ and é',
            links={"runbook": f"https://example.org/{number}"},
            labels={"alertname": "Storm", "pod": f"p{number}"},
        )
        for number in numbers
    ]
    return Ingest(source="alertmanager", alerts=tuple(alerts), digest=b"")


def everything(store: Store) -> dict[str, object]:
    """Return what is kept of incidents: snapshots, journal, attempts, alerts."""
    incidents = store.read(lambda tx: tx.list_incidents())
    return {
        "incidents": incidents,
        "journal": [row for each in incidents for row in store.read(lambda tx, n=each.number: tx.journal_of(n))],
        "attempts": [row for each in incidents for row in store.read(lambda tx, n=each.number: tx.outbox_of(n))],
        "alerts": store.read(lambda tx: tx.alerts("alertmanager", [f"{n:016x}" for n in range(20)])),
    }


def test_one_transaction_for_all_is_one_for_each(tmp_path: Path, ruleset: Ruleset):
    """The same alerts at the same instant: every row is the same, and every chain is whole."""
    with a_batch(tmp_path / "all.db", ruleset) as (store, batch):
        (done,) = batch.commit([told(range(6))], NOW).results
        together = everything(store)
        assert all(store.read(lambda tx, n=number: tx.verify(n)) for number in range(1, 7))
    with a_batch(tmp_path / "each.db", ruleset) as (store, batch):
        each = [batch.commit([told([number])], NOW).results[0] for number in range(6)]
        assert together == everything(store)
    assert isinstance(done, Ingested)
    assert [item for one in each for item in one.accepted] == list(done.accepted)
    assert [item.incident for item in done.accepted] == [1, 2, 3, 4, 5, 6]


def test_what_a_transaction_says_counts_those_that_opened_alike(tmp_path: Path, ruleset: Ruleset):
    """Whoever watches hears of each incident, and the figures of each entry."""
    with a_batch(tmp_path / "all.db", ruleset) as (store, batch):
        written = batch.commit([told(range(6))], NOW)
        kept = store.read(lambda tx: tx.journal_after(0, 100))
    assert sorted(written.changed) == [1, 2, 3, 4, 5, 6]
    together, alone = Ledger(), Ledger()
    for entry in written.entries:
        together.add(entry)
    for entries, times in written.alike:
        for entry in entries:
            together.add(entry, times)
    for row in kept:
        alone.apply(row)
    assert together.snapshot() == alone.snapshot()
    assert together.counters()["incidents_opened", ("paged", "error", "threshold")] == 6
    assert written.outbox
    assert written.next_due is not None


def test_a_command_about_every_incident_reaches_those_of_its_own_transaction(tmp_path: Path, ruleset: Ruleset):
    """Ana leaves in the transaction in which she is paged for six incidents: each of them goes on to Bo."""
    with a_batch(tmp_path / "all.db", ruleset) as (store, batch):
        batch.commit([told(range(6)), PeopleGone(people=("ana",))], NOW)
        found = everything(store)
    assert [track.tier for incident in found["incidents"] for track in incident.tracks] == [2] * 6  # type: ignore[attr-defined]
    chains: dict[int, list[str]] = {}
    for row in found["journal"]:  # type: ignore[attr-defined]
        chains.setdefault(row.entry.incident, []).append(row.entry.kind)
        assert row.entry.at == NOW
    assert all(kinds[0] == "opened" for kinds in chains.values())
    assert all(a == b for a, b in pairwise(chains.values()))
