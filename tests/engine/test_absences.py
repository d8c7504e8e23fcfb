"""Absences, committed: in force for the next command, journaled, gone when cancelled, there after a restart."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.away import Away
from escalatord.core.incident import Via
from escalatord.engine.absences import AWAY_PER_PERSON_MAX
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Remark
from escalatord.engine.wishes import Absence, AbsenceReason, AddAway, CancelAway
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.world import RULESET

NOW = utc("2026-10-24 01:00")
HOUR = timedelta(hours=1)
BACK = CancelAway(person="ana", by="bo", via=Via.WEB)


@pytest.fixture
def store(tmp_path):
    """Return an open store."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    store.open()
    yield store
    store.close()


@pytest.fixture
def batch(store):
    """Return batches over the store."""
    return Batch(store, RULESET, b"k" * 32)


def add(hours=(0, 8), **changes):
    """Return the wish that Ana is away between two hours from now."""
    start, end = (NOW + each * HOUR for each in hours)
    return replace(AddAway(person="ana", start=start, end=end, why="dentist", by="bo", via=Via.CLI), **changes)


def one(batch, command, now=NOW):
    """Commit one command and return what it came to."""
    (result,) = batch.commit((command,), now).results
    assert isinstance(result, Absence)
    return result


def test_an_absence_is_in_force_with_its_commit(batch):
    """The world that steps look things up in knows it; what was done is told."""
    done = one(batch, add())
    span = Away(person="ana", start=NOW, end=NOW + 8 * HOUR, why="dentist")
    assert (done.reason, done.spans, batch.world.away) == (AbsenceReason.ADDED, (span,), (span,))
    assert done.spans[0].by == "bo"


def test_an_absence_is_journaled_with_who_noted_it(batch, store):
    """Both ways, with the channel."""
    one(batch, add())
    one(batch, BACK, NOW + HOUR)
    entries = [row.entry for row in store.read(lambda tx: tx.journal_of(0))]
    assert [(entry.kind, entry.actor, entry.via) for entry in entries] == [
        ("away_added", "bo", Via.CLI),
        ("away_cancelled", "bo", Via.WEB),
    ]
    assert entries[0].body == {
        "person": "ana",
        "start": NOW.isoformat(),
        "end": (NOW + 8 * HOUR).isoformat(),
        "why": "dentist",
        "by": "bo",
    }


def test_it_survives_a_restart_and_is_forgotten_when_it_is_over(batch, store):
    """Another batch over the same store reads it; by then it may have ended."""
    one(batch, add())
    again = Batch(store, RULESET, b"k" * 32)
    again.refresh(NOW + HOUR)
    assert again.world.away == batch.world.away
    again.refresh(NOW + 8 * HOUR)
    assert again.world.away == ()


def test_back_ends_what_began_and_drops_what_was_to_come(batch):
    """Of this person alone; a second time there is nothing to end."""
    one(batch, add())
    one(batch, add((24, 25)))
    one(batch, add(person="bo"))
    done = one(batch, BACK, NOW + HOUR)
    assert (done.reason, len(done.spans)) == (AbsenceReason.CANCELLED, 2)
    assert [span.person for span in batch.world.away] == ["bo"]
    assert one(batch, BACK, NOW + HOUR).reason is AbsenceReason.NOT_AWAY


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (add(person="nobody"), AbsenceReason.UNKNOWN_PERSON),
        (add((3, 2)), AbsenceReason.ENDS_FIRST),
        (add((-3, -1)), AbsenceReason.PAST),
        (add((0, 24 * 367)), AbsenceReason.TOO_LONG),
    ],
)
def test_what_cannot_be_changes_nothing(batch, store, command, why):
    """It is refused with its reason, and nothing is written."""
    assert one(batch, command).reason is why
    assert batch.world.away == ()
    assert store.read(lambda tx: tx.settings("away/")) == {}


def test_an_absence_never_reaches_into_the_past(batch):
    """Who was paged then was rightly paged."""
    assert one(batch, add((-3, 2))).spans[0].start == NOW


def test_there_is_a_limit_for_each_person(batch):
    """One too many is refused; those that are over make room."""
    for number in range(AWAY_PER_PERSON_MAX):
        one(batch, add((number, number + 1)))
    assert one(batch, add((60, 61))).reason is AbsenceReason.TOO_MANY
    assert one(batch, add((60, 61)), NOW + 2 * HOUR).reason is AbsenceReason.ADDED


def test_an_absence_taken_back_with_its_batch_is_not_in_force(batch, monkeypatch):
    """What was not committed is nowhere."""
    monkeypatch.setattr("escalatord.engine.absences.AWAY_DAYS_MAX", "broken")
    written = batch.commit((add(), Remark(kind="x", body={})), NOW)
    assert isinstance(written.results[0], Exception)
    assert batch.world.away == ()
