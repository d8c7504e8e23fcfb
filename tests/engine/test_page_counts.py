"""How often whom was paged in the past day, from the journal and from what is being written."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.config.load import load
from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.incident import Via
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Ingest
from escalatord.engine.page_counts import PageCounts, counted, wanted
from escalatord.store.rows import JournalEntry
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.world import PAYMENTS

NOW = utc("2026-10-24 01:00")
HOUR = timedelta(hours=1)
RULES = """\
unmatched: {severity: error, policy: p}
policies:
  p:
    tracks:
      technical:
        tiers:
          - {page: [team all], within: 30m, prefer: least_paged_24h}
    last_resort: {page: [person ana], every: 30m}
contact_plans: {usual: [{by: sms}]}
channels: {sms: {provider: sim}}
teams: {all: [ana, bo, cy]}
people:
  ana: {sms: "+34600000001"}
  bo: {sms: "+34600000002"}
  cy: {sms: "+34600000003"}
"""


@pytest.fixture
def store(tmp_path):
    """Return an open store."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    store.open()
    yield store
    store.close()


def batch_of(store, tmp_path):
    """Return batches under a policy that pages whoever was paged least."""
    (tmp_path / "r").mkdir(exist_ok=True)
    (tmp_path / "r" / "all.yaml").write_text(RULES)
    return Batch(store, load(tmp_path / "r").ruleset, b"k" * 32)


def fire(batch, *names, now=NOW):
    """Commit one body with an alert of each name; return who is paged by each incident."""
    alerts = tuple(Alert(source="am", fingerprint=n, status=AlertStatus.FIRING, starts_at=now, title=n) for n in names)
    batch.commit([Ingest(source="am", alerts=alerts)], now)
    return [
        [page.person for page in incident.main.pages]
        for incident in sorted(batch._store.read(lambda tx: tx.list_incidents()), key=lambda each: each.number)
    ][-len(names) :]


def page(*people, at=NOW, kind="tier_entered", incident=1):
    """Return a journal entry that paged people."""
    return JournalEntry(incident=incident, at=at, actor="x", via=Via.CLOCK, kind=kind, body={"people": list(people)})


def test_a_storm_is_spread_over_the_people(store, tmp_path):
    """Within one transaction and over several: whoever was paged least is paged."""
    batch = batch_of(store, tmp_path)
    assert fire(batch, "a", "b", "c", "d") == [["ana"], ["bo"], ["cy"], ["ana"]]
    assert fire(batch, "e", "f") == [["bo"], ["cy"]]


def test_a_restart_forgets_nothing(store, tmp_path):
    """What was paged before counts, because the journal says so."""
    fire(batch_of(store, tmp_path), "a", "b")
    assert fire(batch_of(store, tmp_path), "c") == [["cy"]]


def test_after_a_day_a_page_no_longer_counts(store, tmp_path):
    """At the very instant at which it is a day old."""
    batch = batch_of(store, tmp_path)
    fire(batch, "a")
    later = NOW + 24 * HOUR
    assert fire(batch, "b", now=later - timedelta(seconds=1)) == [["bo"]]
    assert fire(batch, "c", now=later) == [["ana"]]


def test_what_is_taken_back_is_not_counted(store, tmp_path, monkeypatch):
    """An alert that our own code cannot handle pages nobody, and costs nobody a turn."""
    batch = batch_of(store, tmp_path)
    counts = PageCounts()
    journal = [page("ana"), page("bo")]
    with_both = counts.now(journal)
    del journal[1:]
    journal.append(page("cy"))
    assert (with_both, counts.now(journal)) == ({"ana": 1, "bo": 1}, {"ana": 1, "cy": 1})
    del journal[:]
    assert counts.now(journal) == {}
    assert batch.world.paged == {}


@pytest.mark.parametrize("kind", ["tier_entered", "tier_repaged", "paged_more", "last_resort"])
def test_every_way_of_paging_somebody_counts_once(store, kind):
    """Reminders, steps and deliveries are the same page; the daemon's own entries page nobody."""
    others = [page("ana", kind="reminded"), page("ana", kind="delivery"), page("ana", kind=kind, incident=0)]
    store.write(lambda tx: tx.append([page("ana", "bo", kind=kind), *others]))
    counts = PageCounts()
    store.read(lambda tx: counts.catch_up(tx, NOW))
    assert counts.now(()) == {"ana": 1, "bo": 1}


def test_where_no_tier_asks_nothing_is_read(store):
    """A company that does not choose does not pay for it."""

    class Unread:
        """Nothing can be asked of it."""

    assert not wanted([PAYMENTS])
    assert counted(Unread(), [PAYMENTS], NOW) == {}


@given(ages=st.lists(st.integers(0, 48 * 60), max_size=30))
def test_the_beginning_of_the_day_is_found_by_halving(tmp_path_factory, ages):
    """For any journal in order of time: exactly what is younger than a day counts."""
    folder = tmp_path_factory.mktemp("journal")
    store = Store(f"sqlite:///{folder}/x.db", ballast_bytes=0)
    store.open()
    try:
        rows = [page("ana", at=NOW - timedelta(minutes=age)) for age in sorted(ages, reverse=True)]
        store.write(lambda tx: tx.append(rows) if rows else None)
        counts = PageCounts()
        store.read(lambda tx: counts.catch_up(tx, NOW))
        assert counts.now(()).get("ana", 0) == sum(age < 24 * 60 for age in ages)
    finally:
        store.close()
