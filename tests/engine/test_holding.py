"""What is held for an outage: whole incidents only, the most needed if there are too many, as they are stored."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.config.load import load
from escalatord.core.alert import Severity
from escalatord.core.events import Ack
from escalatord.core.incident import Attempt, Via
from escalatord.engine import holding
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Answer, Claim, Ingest, RaiseIncident, Receipt
from escalatord.engine.handlers import Due
from escalatord.engine.holding import Holding
from escalatord.ingest import parse
from escalatord.store import standin
from escalatord.store.store import Store
from tests.bench.rules import rules
from tests.bench.tools.payloads import Template
from tests.fakes.paging import the_ruleset
from tests.store.samples import NOW

KEY = b"k" * 32


@pytest.fixture
def store(tmp_path):
    """A database."""
    store = Store(f"sqlite:///{tmp_path}/escalatord.db")
    store.open()
    yield store
    store.close()


def watched(store, *, shared=False):
    """Return a batch, and what is held of its commits."""
    batch, held = Batch(store, the_ruleset(), KEY), Holding(shared=shared)
    batch.noted = held.note
    batch.refresh(NOW)
    return batch, held


def raised(batch, count=1, severity=Severity.CRITICAL):
    """Open so many incidents."""
    commands = [RaiseIncident(title=f"trouble {n}", person="ana", via=Via.WEB, severity=severity) for n in range(count)]
    return [done.incident.number for done in batch.commit(commands, NOW).results]


def look(store, held, now=NOW):
    """Look at the database once."""
    unknown = held.begin_look()
    held.end_look(store.read(lambda tx: held.look(tx, now, unknown)))


def test_what_is_held_is_what_the_database_has(store):
    """Through opening, claims, receipts, climbing and an ack: incident, attempts and codes are those of the rows."""
    batch, held = watched(store)
    (number,) = raised(batch)
    room = dict.fromkeys(store.read(lambda tx: tx.outbox_lanes()), 9)
    for when, command in (
        (NOW, Claim(room=room, lease_seconds=30.0)),
        (NOW, Receipt(reference=f"i{number}-1-0", status=Attempt.DELIVERED, provider_id="x")),
        (NOW + timedelta(minutes=30), Due(limit=9)),
        (NOW + timedelta(minutes=30), Answer(incident=number, event=Ack(person="ana", via=Via.WEB))),
    ):
        batch.commit((command,), when)
        held.fold()
        about = held.incidents[number]
        assert about.incident == store.read(lambda tx: tx.load((number,)))[number]
        rows = {row.reference: replace(row, result="") for row in store.read(lambda tx: tx.outbox_of(number))}
        assert {name: replace(row, result="") for name, row in about.attempts.items()} == rows
        codes = store.read(lambda tx: tx.codes_for((number,)))
        assert {(person, number): code.code for person, code in about.codes.items()} == codes


def test_the_most_severe_are_held_when_there_are_too_many(store, monkeypatch):
    """Past the limit the others wait for the database."""
    monkeypatch.setattr(holding, "INCIDENTS_HELD_MAX", 3)
    batch, held = watched(store)
    raised(batch, 3, Severity.WARNING)
    raised(batch, 2, Severity.CRITICAL)
    held.fold()
    kept = Counter(about.incident.severity for about in held.incidents.values())
    assert kept == {Severity.CRITICAL: 2, Severity.WARNING: 1}
    look(store, held)
    assert len(held.incidents) == 3


def test_a_look_finds_what_was_opened_before_and_lets_go_of_what_is_over(store):
    """After a restart everything that soon comes due is read; what was acked for hours is not kept."""
    before, _ = watched(store)
    one, two = raised(before, 2)
    batch, held = watched(store)
    look(store, held)
    assert set(held.incidents) == {one, two}
    batch.commit((Answer(incident=one, event=Ack(person="ana", via=Via.WEB)),), NOW)
    room = dict.fromkeys(store.read(lambda tx: tx.outbox_lanes()), 9)
    for claimed in batch.commit((Claim(room=room, lease_seconds=30.0),), NOW).results[0]:
        batch.commit((Receipt(reference=claimed.row.reference, status=Attempt.DELIVERED),), NOW)
    look(store, held)
    assert set(held.incidents) == {two}


def test_a_look_takes_nothing_older_than_what_a_commit_said_meanwhile(store):
    """What is committed between the beginning and the end of a look counts."""
    batch, held = watched(store)
    unknown = held.begin_look()
    found = store.read(lambda tx: held.look(tx, NOW, unknown))
    (number,) = raised(batch)
    held.end_look(found)
    assert set(held.incidents) == {number}


def test_where_nodes_share_a_database_only_what_was_opened_here_is_held(store):
    """Two nodes hold nothing in common, whoever changes an incident."""
    one, held_by_one = watched(store, shared=True)
    other, held_by_other = watched(store, shared=True)
    (first,), (second,) = raised(one), raised(other)
    one.commit((Answer(incident=second, event=Ack(person="ana", via=Via.WEB)),), NOW)
    for held in (held_by_one, held_by_other):
        look(store, held)
    assert set(held_by_one.incidents) == {first}
    assert set(held_by_other.incidents) == {second}
    assert held_by_other.incidents[second].incident.main.owner == "ana", "it was read again"


def test_incidents_that_opened_alike_are_held_like_any_other(store, tmp_path):
    """Six alerts of one transaction, five of them written down as text: all six are held as the database has them."""
    (tmp_path / "rules.yaml").write_text(rules(1))
    batch, held = Batch(store, load(tmp_path / "rules.yaml").ruleset, KEY), Holding(shared=False)
    batch.noted = held.note
    batch.refresh(NOW)
    bodies = Template(6).fill(list(range(6)), 1)
    alerts = parse(batch.ruleset.sources["alertmanager"], bodies, "application/json", NOW).alerts
    batch.commit([Ingest(source="alertmanager", alerts=alerts)], NOW)
    held.fold()
    stored = store.read(lambda tx: standin.about(tx, range(1, 7)))
    assert held.incidents == stored
    assert len(stored) == 6
