"""Overdue reviews: told once, at the exact instant, over restarts; settled when the date is set anew."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.events import Ack
from escalatord.core.incident import NoticeKind, State, Via
from escalatord.core.review import REVIEW_POLICY
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Answer, Arm, PeopleGone
from escalatord.engine.handlers import Due
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.rulesets import threshold
from tests.fakes.world import RULESET

NOW = utc("2026-10-20 01:00")
TOLD = utc("2026-10-25 09:00")
WEEK = timedelta(days=7)
RULE = replace(threshold("slow"), policy="payments", owner="person ana", review_by="2026-10-24")


def ruleset(*rules):
    """Return the rules of the company with these thresholds."""
    return replace(RULESET, thresholds=rules)


@pytest.fixture
def store(tmp_path):
    """Return an open store."""
    store = Store(f"sqlite:///{tmp_path}/x.db", ballast_bytes=4096)
    store.open()
    yield store
    store.close()


@pytest.fixture
def batch(store):
    """Return batches of a daemon that was started long before the date."""
    return started(store, RULE)


def started(store, *rules, now=NOW):
    """Return batches of a daemon that starts with these rules."""
    batch = Batch(store, ruleset(*rules), b"k" * 32)
    batch.refresh(now)
    batch.commit((Arm(),), now)
    return batch


def incidents(store):
    """Return all incidents, oldest first."""
    return sorted(store.read(lambda tx: tx.list_incidents()), key=lambda each: each.number)


def messages(store):
    """Return what was to be sent: (kind, person, channel), by incident."""
    rows = [row for one in incidents(store) for row in store.read(lambda tx, n=one.number: tx.outbox_of(n))]
    return [(row.kind, row.person, row.channel) for row in rows]


def due(batch, now):
    """Let what is due happen."""
    batch.commit((Due(limit=100),), now)


def test_the_owner_is_told_at_the_instant_and_not_before(batch, store):
    """The deadline is the alert row's own; a look before it changes nothing."""
    assert store.read(lambda tx: tx.next_due()) == TOLD
    due(batch, TOLD - timedelta(seconds=1))
    assert incidents(store) == []
    due(batch, TOLD)
    (incident,) = incidents(store)
    assert (incident.title, incident.rule, incident.policy) == ("Review overdue: slow", "slow", REVIEW_POLICY)
    assert incident.severity.value == "info"
    assert messages(store) == [(NoticeKind.PAGE, "ana", "mail")]


def test_it_is_told_once_over_restarts_and_reloads(batch, store):
    """Neither another start nor the same rules again tell it again; nor a human's ack and close."""
    due(batch, TOLD)
    again = started(store, RULE, now=TOLD + timedelta(hours=1))
    due(again, TOLD + timedelta(hours=2))
    again.swap(ruleset(RULE), TOLD)
    again.commit((Arm(),), TOLD + timedelta(hours=3))
    due(again, TOLD + timedelta(hours=4))
    assert len(incidents(store)) == 1


def test_a_start_after_the_date_tells_it_in_office_hours(store):
    """A daemon that was down, or rules that are new: not in the middle of the night."""
    started(store, RULE, now=utc("2026-11-03 02:00"))
    assert store.read(lambda tx: tx.next_due()) == utc("2026-11-03 09:00")


def test_after_a_week_the_owner_of_the_policy_is_told(batch, store):
    """And then that one again, until somebody acts."""
    due(batch, TOLD)
    due(started(store, RULE, now=TOLD + timedelta(days=1)), TOLD + WEEK)
    assert [person for kind, person, _ in messages(store)] == ["ana", "cto"]
    due(batch, TOLD + 2 * WEEK)
    assert messages(store)[-1] == (NoticeKind.LAST_RESORT, "cto", "mail")


def test_an_ack_is_an_ack_for_a_week(batch, store):
    """Who is at it is asked after a week, not after a day."""
    due(batch, TOLD)
    batch.commit((Answer(incident=1, event=Ack(person="ana", via=Via.MAIL)),), TOLD)
    (incident,) = incidents(store)
    assert (incident.acknowledged_by, incident.next_due_at) == ("ana", TOLD + WEEK)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param((replace(RULE, review_by="2027-10-24"),), id="another date"),
        pytest.param((replace(RULE, review_by=""),), id="no date any more"),
        pytest.param((), id="no rule any more"),
    ],
)
def test_a_review_that_was_done_closes_what_it_opened(batch, store, rules):
    """Whoever was told hears that it is over; the next date is waited for."""
    due(batch, TOLD)
    batch.swap(ruleset(*rules), TOLD)
    batch.commit((Arm(),), TOLD + timedelta(days=1))
    (incident,) = incidents(store)
    assert incident.state is State.RESOLVED
    expected = utc("2027-10-25 09:00") if rules and rules[0].review_by else None
    assert store.read(lambda tx: tx.next_due()) == expected


def test_the_next_date_is_told_too(batch, store):
    """Each date once."""
    due(batch, TOLD)
    batch.swap(ruleset(replace(RULE, review_by="2026-12-24")), TOLD)
    batch.commit((Arm(),), TOLD + timedelta(days=1))
    due(batch, utc("2026-12-25 09:00"))
    assert [one.state for one in incidents(store)] == [State.RESOLVED, State.OPEN]


def test_a_date_moved_before_it_came_is_waited_for_anew(batch, store):
    """Nothing was opened, so nothing is closed."""
    batch.swap(ruleset(replace(RULE, review_by="2026-11-24")), NOW)
    batch.commit((Arm(),), NOW)
    due(batch, TOLD)
    assert incidents(store) == []
    assert store.read(lambda tx: tx.next_due()) == utc("2026-11-25 09:00")


def test_a_rule_that_nobody_answers_for_tells_nobody(store):
    """`check` has said so."""
    started(store, replace(RULE, owner="", policy="legal"))
    assert store.read(lambda tx: tx.next_due()) is None


def test_other_commands_of_the_same_batch_know_the_policy(batch, store):
    """Somebody leaves in the transaction that tells of a review: both happen."""
    written = batch.commit((Due(limit=100), PeopleGone(people=("bo",))), TOLD)
    assert not [result for result in written.results if isinstance(result, Exception)]
    assert len(incidents(store)) == 1


def test_a_rule_gone_between_its_deadline_and_the_look_is_let_go(batch, store):
    """The reload was faster than its Arm."""
    batch.swap(ruleset(), TOLD)
    due(batch, TOLD)
    assert incidents(store) == []
    assert store.read(lambda tx: tx.next_due()) is None
