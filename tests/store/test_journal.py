"""The journal: order, chains, and every way of tampering with them."""

import json
from hashlib import sha256
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.incident import Via
from escalatord.store import journal
from tests.store.samples import NOW, entry, incident, minutes

KINDS = ("opened", "tier_entered", "acknowledged", "resolved")


def sql(store, text: str) -> None:
    """Do what somebody with a shell on the database does."""
    store.write(lambda tx: tx._connection.exec_driver_sql(text))


def fill(store) -> None:
    """Write four entries of incident 1 between entries of others."""
    store.write(lambda tx: tx.save([incident(1), incident(2)]))
    for kind in KINDS:
        store.write(lambda tx, kind=kind: tx.append([entry(1, kind), entry(2, kind), entry(0, "started")]))


def test_append_then_read_returns_the_entries_in_order(store):
    """What was written comes back whole, under numbers that grow."""
    told = entry(3, "acknowledged", actor="ana", via=Via.SMS, body={"n": 1.5, "deep": [{"a": None}], "zone": "é\ud800"})
    assert store.write(lambda tx: tx.append([entry(3), told])) == 2
    rows = store.read(lambda tx: tx.journal_of(3))
    assert [(1, entry(3)), (2, told)] == [(row.seq, row.entry) for row in rows]
    assert ["", rows[0].hash] == [row.prev_hash for row in rows]


def test_hash_is_what_the_documentation_says(store):
    """Anybody can compute the chain again from the rows."""
    store.write(lambda tx: tx.append([entry(3), entry(3, "resolved", at=minutes(1))]))
    before = ""
    for row in store.read(lambda tx: tx.journal_of(3)):
        told = row.entry
        micros = round(told.at.timestamp() * 1_000_000)
        members = {"actor": told.actor, "at": micros, "body": told.body, "incident": told.incident}
        members |= {"kind": told.kind, "policy": told.policy, "via": told.via}
        text = json.dumps(members, sort_keys=True, separators=(",", ":")) + before
        assert (before, sha256(text.encode()).hexdigest()) == (row.prev_hash, row.hash)
        before = row.hash


def test_journal_after_goes_on_where_it_was(store):
    """A reader that remembers the last number misses nothing and sees nothing twice."""
    fill(store)
    first = store.read(lambda tx: tx.journal_after(0, 5))
    rest = store.read(lambda tx: tx.journal_after(first[-1].seq, 100))
    assert list(range(1, 13)) == [row.seq for row in first + rest]
    assert store.read(lambda tx: tx.last_seq()) == 12


def test_an_empty_journal_ends_at_zero(store):
    """Nothing written, nothing counted."""
    assert store.write(lambda tx: (tx.append([]), tx.journal_of(1), tx.last_seq())) == (0, [], 0)


def test_a_number_is_never_given_twice(store):
    """After the end was cut off, a reader that went on from there still sees what comes next."""
    fill(store)
    sql(store, "DELETE FROM journal WHERE seq > 10")
    assert store.write(lambda tx: tx.append([entry(5)])) == 13


def test_entries_rolled_back_leave_the_chain_whole(store):
    """A chain goes on from what was committed, not from what was tried."""
    fill(store)
    with pytest.raises(ZeroDivisionError):
        store.write(lambda tx: (tx.append([entry(1, "noted")]), 1 // 0))
    store.write(lambda tx: tx.append([entry(1, "noted")]))
    assert store.read(lambda tx: tx.verify(1))


def test_chain_goes_on_within_a_transaction_and_over_restarts(store, open_store):
    """Two appends in one transaction and one after a restart are one chain."""
    store.write(lambda tx: (tx.append([entry(1)]), tx.append([entry(1, "noted"), entry(1, "noted")])))
    store.close()
    again = open_store()
    again.write(lambda tx: tx.append([entry(1, "resolved")]))
    assert again.read(lambda tx: (tx.verify(1), len(tx.journal_of(1)))) == (True, 4)


def test_chains_do_not_depend_on_batches(store):
    """However entries are grouped into transactions, every chain is whole and as long as what was told."""
    bases = count(1000, 1000)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=5))
    def chains_are_whole(batches):
        base = next(bases)
        for batch in batches:
            entries = [entry(base + chain) for chain in batch]
            store.write(lambda tx, entries=entries: tx.append(entries))
        for chain in range(4):
            told = sum(batch.count(chain) for batch in batches)
            found = store.read(lambda tx, number=base + chain: (tx.verify(number), len(tx.journal_of(number))))
            assert (True, told) == found

    chains_are_whole()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE journal SET body = replace(body, 'Zahlung', 'Alles') WHERE seq = 4",
        "UPDATE journal SET actor = 'eve' WHERE seq = 4",
        "UPDATE journal SET at = at + 1 WHERE seq = 4",
        "UPDATE journal SET via = 'web' WHERE seq = 4",
        "UPDATE journal SET kind = 'noted' WHERE seq = 4",
        "UPDATE journal SET policy = '' WHERE seq = 4",
        "UPDATE journal SET hash = prev_hash WHERE seq = 4",
        "UPDATE journal SET prev_hash = '' WHERE seq = 4",
        "UPDATE journal SET incident = 2 WHERE seq = 4",
        "DELETE FROM journal WHERE seq = 1",
        "DELETE FROM journal WHERE seq = 4",
        "DELETE FROM journal WHERE seq = 10",
        "DELETE FROM journal WHERE incident = 1",
        "DELETE FROM journal_heads WHERE incident = 1",
        "UPDATE journal_heads SET length = 3 WHERE incident = 1",
        "UPDATE journal SET seq = CASE seq WHEN 4 THEN -7 ELSE seq END",
        (
            "INSERT INTO journal (incident, at, actor, via, kind, policy, body, prev_hash, hash) "
            "SELECT incident, at, actor, via, kind, policy, body, prev_hash, hash FROM journal WHERE seq = 10"
        ),
    ],
)
def test_tampering_is_found(store, tampering):
    """Edited, deleted, cut off, moved, copied: the chain of that incident no longer verifies."""
    fill(store)
    assert store.read(lambda tx: tx.verify(1))
    sql(store, tampering)
    assert not store.read(lambda tx: tx.verify(1))


def test_tampering_with_one_chain_leaves_the_others(store):
    """The others are still whole, the daemon's own included."""
    fill(store)
    sql(store, "DELETE FROM journal WHERE seq = 4")
    assert [store.read(lambda tx, chain=chain: tx.verify(chain)) for chain in (1, 2, 0)] == [False, True, True]


def test_cutting_rows_and_head_away_is_found(store):
    """An incident without any entry is not whole; one that never was is."""
    fill(store)
    sql(store, "DELETE FROM journal WHERE incident = 1")
    sql(store, "DELETE FROM journal_heads WHERE incident = 1")
    assert [store.read(lambda tx, chain=chain: tx.verify(chain)) for chain in (1, 77)] == [False, True]


def test_a_number_that_json_lacks_is_refused(store):
    """What stands in the journal can be read by any tool."""
    with pytest.raises(ValueError, match="JSON"):
        store.write(lambda tx: tx.append([entry(1, body={"seconds": float("nan")})]))


def test_entries_carry_their_own_instants(store):
    """Instants are stored to the microsecond."""
    store.write(lambda tx: tx.append([entry(1, at=NOW)]))
    assert store.read(lambda tx: tx.journal_of(1))[0].entry.at == NOW


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_the_journal_since_an_instant_is_found_by_halving(store, length):
    """Everything at or after the instant has a higher number, everything before has not; numbers may be missing."""
    rows = [entry(1, at=minutes(number)) for number in range(length)]
    if rows:
        store.write(lambda tx: tx.append(rows))
    for half in range(-1, 2 * length + 2):
        at = minutes(half / 2)
        after = store.read(lambda tx, at=at: tx.journal_after(tx.journal_seq_before(at), 100))
        assert [row.entry.at for row in after] == [row.at for row in rows if row.at >= at]


def test_the_chain_of_a_new_incident_is_not_looked_for_and_is_whole(store, monkeypatch):
    """Nobody can have written of it before; what is written later goes on from there."""
    looked = []
    read = journal._read_heads

    def note(connection, heads, wanted):
        looked.append(list(wanted))
        read(connection, heads, wanted)

    monkeypatch.setattr(journal, "_read_heads", note)
    store.write(lambda tx: (tx.save([incident(1, version=0)]), tx.append([entry(1, "opened"), entry(0, "told")])))
    assert looked == [[0]]
    known = store.read(lambda tx: tx.load([1]))[1]
    store.write(lambda tx: (tx.save([known]), tx.append([entry(1, "noted")])))
    assert looked[1:] == [[1]]
    assert store.read(lambda tx: (tx.verify(1), len(tx.journal_of(1)))) == (True, 2)
