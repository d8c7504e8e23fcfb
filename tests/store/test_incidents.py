"""Incidents in the store: snapshots, compare-and-set, deadlines, numbers."""

from dataclasses import replace

import pytest

from escalatord.core.alert import Severity
from escalatord.core.incident import State
from escalatord.store.sql import IN_LIST_LENGTH_MAX
from escalatord.store.tx import ConflictError
from tests.store.samples import NOW, alert, incident, minutes, resolved


def test_save_then_load_returns_the_next_version(store):
    """What was saved comes back whole, one version on."""
    store.write(lambda tx: tx.save([incident(1), incident(2)]))
    assert {2: incident(2, version=1), 1: incident(1, version=1)} == store.read(lambda tx: tx.load([2, 1, 99, 2]))


def test_load_keeps_the_order_asked_for(store):
    """A caller that sorted its numbers gets its order back."""
    store.write(lambda tx: tx.save([incident(number) for number in range(1, 9)]))
    assert list(store.read(lambda tx: tx.load([5, 3, 8]))) == [5, 3, 8]


def test_load_takes_more_numbers_than_one_statement(store):
    """A long list is asked for in parts."""
    count = IN_LIST_LENGTH_MAX + 3
    store.write(lambda tx: tx.save([incident(number) for number in range(1, count + 1)]))
    assert count == len(store.read(lambda tx: tx.load(range(1, count + 1))))


def test_nothing_asked_nothing_given(store):
    """Empty lists are fine everywhere."""
    store.write(lambda tx: tx.save([]))
    assert store.read(lambda tx: (tx.load([]), tx.load_open([]), tx.list_incidents(states=[]))) == ({}, {}, [])


def test_save_over_the_version_read_succeeds(store):
    """Reading, changing and saving goes through."""
    store.write(lambda tx: tx.save([incident(1)]))
    read = store.read(lambda tx: tx.load([1]))[1]
    store.write(lambda tx: tx.save([replace(read, title="new", state=State.ACKNOWLEDGED)]))
    assert replace(read, title="new", state=State.ACKNOWLEDGED, version=2) == store.read(lambda tx: tx.load([1]))[1]


def test_save_over_an_older_version_is_a_conflict(store):
    """Whoever read before another's change has to read again; nothing of theirs stays."""
    store.write(lambda tx: tx.save([incident(1), incident(2)]))
    old = store.read(lambda tx: tx.load([1, 2]))
    store.write(lambda tx: tx.save([replace(old[2], title="theirs")]))
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save([replace(old[1], title="mine"), replace(old[2], title="mine")]))
    titles = [found.title for found in store.read(lambda tx: tx.load([1, 2])).values()]
    assert titles == ["Checkout is slow", "theirs"]


def test_save_of_something_deleted_is_a_conflict(store):
    """A version of a row that is not there matches nothing."""
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save([incident(1, version=4)]))


def test_a_key_is_unique_while_open(store):
    """Two open incidents for one condition cannot be; after the first is over, another may come."""
    store.write(lambda tx: tx.save([incident(1, key="same")]))
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.save([incident(2, key="same")]))
    first = store.read(lambda tx: tx.load_open(["same"]))["same"]
    store.write(lambda tx: tx.save([resolved(first), incident(2, key="same")]))
    assert {key: found.number for key, found in store.read(lambda tx: tx.load_open(["same"])).items()} == {"same": 2}


def test_load_open_finds_acknowledged_but_not_resolved(store):
    """An acked incident is still open to news; a resolved one is not."""
    store.write(
        lambda tx: tx.save([incident(1), incident(2, state=State.ACKNOWLEDGED), resolved(incident(3)), incident(4)])
    )
    assert {"key-1", "key-2"} == set(store.read(lambda tx: tx.load_open(["key-1", "key-2", "key-3", "key-9"])))


def test_due_is_by_severity_then_by_deadline(store):
    """After a gap the worst goes first, then what waited longest."""
    store.write(
        lambda tx: tx.save(
            [
                incident(1, severity=Severity.INFO, due=minutes(-90)),
                incident(2, severity=Severity.CRITICAL, due=minutes(-1)),
                incident(3, severity=Severity.CRITICAL, due=minutes(-2)),
                incident(4, severity=Severity.ERROR, due=NOW),
                incident(5, severity=Severity.CRITICAL, due=minutes(1)),
                incident(6, severity=Severity.WARNING, due=None),
            ]
        )
    )
    assert [found.number for found in store.read(lambda tx: tx.due(NOW, 10))] == [3, 2, 4, 1]
    assert [found.number for found in store.read(lambda tx: tx.due(NOW, 2))] == [3, 2]


def test_due_never_holds_what_is_over(store):
    """A resolved incident is not due, whatever timers it still carries."""
    over = incident(1, state=State.RESOLVED, due=minutes(-1))
    store.write(lambda tx: tx.save([over]))
    assert store.read(lambda tx: (tx.due(NOW, 10), tx.next_due())) == ([], None)


@pytest.mark.parametrize("severity", Severity, ids=str)
def test_next_due_looks_at_every_severity(store, severity):
    """The earliest deadline counts, whoever has it."""
    others = [value for value in Severity if value is not severity]
    store.write(
        lambda tx: tx.save(
            [incident(1, severity=severity, due=minutes(3))]
            + [incident(rank + 2, severity=value, due=minutes(4)) for rank, value in enumerate(others)]
        )
    )
    assert minutes(3) == store.read(lambda tx: tx.next_due())


def test_next_due_looks_at_alerts_too(store):
    """A rule that waits for time to pass wakes us like a timer."""
    store.write(lambda tx: tx.save([incident(1, due=minutes(3))]))
    store.write(lambda tx: tx.save_alerts([(alert(due_at=minutes(2)), None)]))
    assert minutes(2) == store.read(lambda tx: tx.next_due())


def test_next_due_of_an_empty_store_is_never(store):
    """Nothing open, nothing due."""
    assert store.read(lambda tx: tx.next_due()) is None


def test_numbers_are_given_once_and_in_order(store, open_store):
    """Numbers grow by one, over restarts too."""
    assert store.write(lambda tx: (tx.next_numbers(3), tx.next_numbers(1))) == ([1, 2, 3], [4])
    store.close()
    assert open_store().write(lambda tx: tx.next_numbers(2)) == [5, 6]


def test_no_numbers_asked_none_given(store):
    """Zero numbers are no numbers."""
    assert store.write(lambda tx: tx.next_numbers(0)) == []


def test_numbers_come_back_with_a_rollback(store):
    """An incident that was not opened leaves no gap; where several nodes number, nobody waits and it leaves one."""
    with pytest.raises(ZeroDivisionError):
        store.write(lambda tx: (tx.next_numbers(5), 1 // 0))
    assert store.write(lambda tx: tx.next_numbers(1)) == [6 if store.shared else 1]


def test_list_is_newest_first_and_pages(store):
    """A page of the list goes on where the last one ended."""
    store.write(
        lambda tx: tx.save(
            [incident(1), resolved(incident(2)), incident(3, state=State.ACKNOWLEDGED), incident(4), incident(5)]
        )
    )

    def numbers(**asked):
        return [found.number for found in store.read(lambda tx: tx.list_incidents(**asked))]

    assert numbers() == [5, 4, 3, 2, 1]
    assert numbers(limit=2) == [5, 4]
    assert numbers(limit=2, before=4) == [3, 2]
    assert numbers(states=[State.OPEN]) == [5, 4, 1]
    assert numbers(states=(State.ACKNOWLEDGED, State.OPEN, State.OPEN)) == [5, 4, 3, 1]


def test_count_open_tells_the_oldest_that_nobody_acked(store):
    """Gauges count by policy, the severity it opened with, and state."""
    store.write(
        lambda tx: tx.save(
            [
                incident(1, opened_at=minutes(2), severity=Severity.CRITICAL),
                incident(2, opened_at=minutes(1)),
                incident(3, state=State.ACKNOWLEDGED),
                incident(4, policy="search"),
                resolved(incident(5)),
            ]
        )
    )
    assert {
        ("payments", Severity.ERROR, State.OPEN, 2, minutes(1)),
        ("payments", Severity.ERROR, State.ACKNOWLEDGED, 1, None),
        ("search", Severity.ERROR, State.OPEN, 1, NOW),
    } == set(store.read(lambda tx: tx.count_open()))
