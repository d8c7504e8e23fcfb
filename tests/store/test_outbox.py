"""The outbox: claims with a fence, news that only moves forward, withdrawals."""

from dataclasses import replace
from itertools import permutations

import pytest
from sqlalchemy.exc import IntegrityError

from escalatord.core.incident import Attempt, NoticeKind
from tests.store.samples import NOW, attempt, minutes, put_back, settle

LANES = {"sms/sim": 10, "call/sim": 10}


def test_add_then_get_returns_the_row(store):
    """What was written comes back whole."""
    row = attempt("a", late=True, actor="bo", due_at=minutes(2), provider_id="SM1", sent_at=NOW, lease_until=NOW)
    store.write(lambda tx: tx.outbox_add([row]))
    assert (row, None) == store.read(lambda tx: (tx.outbox_get("a"), tx.outbox_get("b")))


def test_a_reference_is_used_once(store):
    """A second row with a reference known is a defect, and nothing is written."""
    store.write(lambda tx: tx.outbox_add([attempt("a")]))
    with pytest.raises(IntegrityError):
        store.write(lambda tx: tx.outbox_add([attempt("b"), attempt("a")]))
    assert store.read(lambda tx: tx.outbox_get("b")) is None


def test_pending_is_by_rank_then_by_due_time(store):
    """Worse first, then longest due; what is not due or not pending waits."""
    rows = [
        attempt("late", rank=1, due_at=minutes(-9)),
        attempt("second", rank=3, due_at=minutes(-1)),
        attempt("first", rank=3, due_at=minutes(-2)),
        attempt("future", rank=3, due_at=minutes(1)),
        attempt("done", rank=3, state=Attempt.DELIVERED),
        attempt("call", rank=2, lane="call/sim"),
        attempt("closed lane", rank=3, lane="chat/slack"),
    ]
    store.write(lambda tx: tx.outbox_add(rows))
    pending = store.read(lambda tx: tx.outbox_pending(NOW, LANES))
    assert [row.reference for row in pending] == ["first", "second", "call", "late"]


def test_pending_takes_no_more_than_each_lane_has_room_for(store):
    """A full lane takes nothing from the others."""
    rows = [attempt(f"s{number}") for number in range(5)]
    rows += [attempt(f"c{number}", lane="call/sim") for number in range(5)]
    store.write(lambda tx: tx.outbox_add(rows))
    pending = store.read(lambda tx: tx.outbox_pending(NOW, {"sms/sim": 2, "call/sim": 0}))
    assert [row.reference for row in pending] == ["s0", "s1"]


def test_pending_holds_what_a_dead_sender_left(store):
    """When a lease has ended, the row is anybody's again, within the lane's room."""
    rows = [
        attempt("left", state=Attempt.SENDING, lease_until=minutes(-1), claims=1),
        attempt("held", state=Attempt.SENDING, lease_until=minutes(1), claims=1),
        attempt("new", rank=3),
    ]
    store.write(lambda tx: tx.outbox_add(rows))
    both = store.read(lambda tx: tx.outbox_pending(NOW, LANES))
    one = store.read(lambda tx: tx.outbox_pending(NOW, {"sms/sim": 1}))
    assert ([row.reference for row in both], [row.reference for row in one]) == (["new", "left"], ["new"])


def test_claim_marks_rows_as_sending(store):
    """A claimed row says until when, and counts."""
    store.write(lambda tx: tx.outbox_add([attempt("a"), attempt("b")]))
    rows = store.read(lambda tx: tx.outbox_pending(NOW, LANES))
    claimed = store.write(lambda tx: tx.outbox_claim(rows, minutes(1)))
    wanted = [replace(row, state=Attempt.SENDING, claims=1, lease_until=minutes(1)) for row in rows]
    assert wanted == claimed == store.read(lambda tx: tx.outbox_sending())
    assert store.read(lambda tx: tx.outbox_pending(NOW, LANES)) == []


def test_claim_on_an_older_count_takes_nothing(store):
    """Of two senders that read the same row, the second gets nothing; so does one that slept over its lease."""
    store.write(lambda tx: tx.outbox_add([attempt("a")]))
    rows = store.read(lambda tx: tx.outbox_pending(NOW, LANES))
    mine = store.write(lambda tx: tx.outbox_claim(rows, minutes(1)))
    assert store.write(lambda tx: tx.outbox_claim(rows, minutes(1))) == []
    theirs = store.write(lambda tx: tx.outbox_claim(mine, minutes(9)))
    assert theirs[0].claims == 2
    assert store.write(lambda tx: tx.outbox_claim(mine, minutes(9))) == []


@pytest.mark.parametrize("state", [Attempt.ACCEPTED, Attempt.DELIVERED, Attempt.WITHDRAWN, Attempt.FAILED_PERMANENT])
def test_claim_takes_nothing_that_is_over(store, state):
    """What was settled or withdrawn after it was read is not sent."""
    store.write(lambda tx: tx.outbox_add([attempt("a")]))
    rows = store.read(lambda tx: tx.outbox_pending(NOW, LANES))
    store.write(lambda tx: settle(tx, "a", state))
    assert store.write(lambda tx: tx.outbox_claim(rows, minutes(1))) == []
    done = store.read(lambda tx: tx.outbox_get("a"))
    assert store.write(lambda tx: tx.outbox_claim([done, attempt("unknown")], minutes(1))) == []


def test_withdraw_takes_back_what_demands_an_answer(store):
    """Pages, reminders, last resorts and questions of the track that wait are withdrawn; answers still go out."""
    rows = [attempt(kind.value, kind=kind) for kind in NoticeKind]
    rows += [
        attempt("other track", track="stakeholder"),
        attempt("other incident", 2),
        attempt("begun", state=Attempt.SENDING, lease_until=minutes(1)),
    ]
    store.write(lambda tx: tx.outbox_add(rows))
    withdrawn = store.write(lambda tx: tx.outbox_withdraw(1, "technical", "acked"))
    assert {"page", "remind", "last_resort", "ack_question"} == set(withdrawn)
    gone = store.read(lambda tx: tx.outbox_get("page"))
    assert gone == attempt("page", state=Attempt.WITHDRAWN, result="acked")
    assert store.write(lambda tx: tx.outbox_withdraw(1, "", "resolved")) == ["other track"]
    assert store.write(lambda tx: tx.outbox_withdraw(1, "", "resolved")) == []


def test_settle_records_what_the_provider_said(store):
    """Accepted sets when it was handed over, delivered when it ended; the provider's id stays."""
    sending = attempt("a", state=Attempt.SENDING, lease_until=minutes(1), claims=1)
    store.write(lambda tx: tx.outbox_add([sending]))
    assert store.write(lambda tx: settle(tx, "a", Attempt.ACCEPTED, "SM1", at=minutes(1)))
    accepted = replace(sending, state=Attempt.ACCEPTED, provider_id="SM1", sent_at=minutes(1), lease_until=None)
    assert accepted == store.read(lambda tx: tx.outbox_get("a"))
    assert store.write(lambda tx: settle(tx, "a", Attempt.DELIVERED, at=minutes(2)))
    delivered = replace(accepted, state=Attempt.DELIVERED, settled_at=minutes(2))
    assert delivered == store.read(lambda tx: tx.outbox_get("a"))


def test_settle_never_moves_back(store):
    """A late word of an earlier state changes nothing."""
    store.write(lambda tx: tx.outbox_add([attempt("a", state=Attempt.SENDING)]))
    store.write(lambda tx: settle(tx, "a", Attempt.DELIVERED, "SM1"))
    before = store.read(lambda tx: tx.outbox_get("a"))
    for state in Attempt:
        assert not store.write(lambda tx, state=state: settle(tx, "a", state, "SM1", "late", at=minutes(9)))
    assert before == store.read(lambda tx: tx.outbox_get("a"))


def test_settle_learns_an_id_that_was_missing(store):
    """The provider's id is kept even when the state is no news."""
    store.write(lambda tx: tx.outbox_add([attempt("a", state=Attempt.SENDING)]))
    store.write(lambda tx: settle(tx, "a", Attempt.DELIVERED))
    assert store.write(lambda tx: settle(tx, "a", Attempt.ACCEPTED, "SM1", at=minutes(1)))
    known = store.read(lambda tx: tx.outbox_get("a"))
    assert (known.state, known.provider_id, known.settled_at) == (Attempt.DELIVERED, "SM1", NOW)


@pytest.mark.parametrize("order", list(permutations((Attempt.ACCEPTED, Attempt.FAILED_TEMPORARY, Attempt.DELIVERED))))
def test_settle_ends_the_same_in_any_order(store, order):
    """Callbacks may come in any order."""
    store.write(lambda tx: tx.outbox_add([attempt("a", state=Attempt.SENDING)]))
    for state in order:
        store.write(lambda tx, state=state: settle(tx, "a", state))
    assert Attempt.DELIVERED is store.read(lambda tx: tx.outbox_get("a")).state


def test_settle_of_an_unknown_reference_changes_nothing(store):
    """A stranger's callback is no news."""
    assert not store.write(lambda tx: settle(tx, "x", Attempt.DELIVERED))


def test_put_back_lets_a_failed_attempt_wait(store):
    """What failed for now or was begun in vain is due again later; what is over stays so."""
    store.write(lambda tx: tx.outbox_add([attempt("a", state=Attempt.SENDING, claims=1), attempt("b")]))
    store.write(lambda tx: settle(tx, "a", Attempt.FAILED_TEMPORARY, "", "timeout"))
    assert store.write(lambda tx: put_back(tx, "a", minutes(1), "timeout"))
    assert [row.reference for row in store.read(lambda tx: tx.outbox_pending(NOW, LANES))] == ["b"]
    again = store.read(lambda tx: tx.outbox_get("a"))
    assert (Attempt.PENDING, minutes(1), 1, None) == (again.state, again.due_at, again.claims, again.settled_at)
    store.write(lambda tx: settle(tx, "b", Attempt.WITHDRAWN))
    assert not store.write(lambda tx: put_back(tx, "b", minutes(1), ""))


def test_outbox_of_an_incident_is_by_due_time(store):
    """All attempts for an incident can be shown in order."""
    rows = [attempt("b", due_at=minutes(1)), attempt("a", state=Attempt.DELIVERED), attempt("x", 2)]
    store.write(lambda tx: tx.outbox_add(rows))
    assert [row.reference for row in store.read(lambda tx: tx.outbox_of(1))] == ["a", "b"]


def test_next_due_counts_leases_too(store):
    """The sender wakes when a row is due or when somebody's lease ends, whichever comes first."""
    assert store.read(lambda tx: tx.outbox_next_due()) is None
    store.write(lambda tx: tx.outbox_add([attempt("a", due_at=minutes(5)), attempt("b", state=Attempt.DELIVERED)]))
    assert minutes(5) == store.read(lambda tx: tx.outbox_next_due())
    store.write(lambda tx: tx.outbox_add([attempt("c", state=Attempt.SENDING, lease_until=minutes(2))]))
    assert minutes(2) == store.read(lambda tx: tx.outbox_next_due())


def test_thread_is_the_first_message_taken(store):
    """Later messages go under the first that the provider took in that channel."""
    rows = [
        attempt("failed", state=Attempt.FAILED_PERMANENT, provider_id="t0", sent_at=minutes(-9)),
        attempt("second", state=Attempt.DELIVERED, provider_id="t2", sent_at=minutes(2)),
        attempt("first", state=Attempt.ACCEPTED, provider_id="t1", sent_at=minutes(1)),
        attempt("without", state=Attempt.ACCEPTED, sent_at=NOW),
        attempt("other", state=Attempt.ACCEPTED, channel="chat", provider_id="t3", sent_at=NOW),
    ]
    store.write(lambda tx: tx.outbox_add(rows))
    assert store.read(lambda tx: tx.threads([1, 2])) == {(1, "sms"): "t1", (1, "chat"): "t3"}


def test_nothing_added_or_claimed_is_fine(store):
    """Empty lists write nothing."""
    store.write(lambda tx: tx.outbox_add([]))
    assert store.write(lambda tx: (tx.outbox_claim([], NOW), tx.outbox_pending(NOW, {}))) == ([], [])


def test_withdraw_can_mean_one_person(store):
    """What waits for the others of the track, and what that person gets of another one, still goes out."""
    rows = [attempt("ana"), attempt("bo", person="bo"), attempt("other track", track="stakeholder")]
    store.write(lambda tx: tx.outbox_add(rows))
    assert store.write(lambda tx: tx.outbox_withdraw(1, "technical", "acked", rows[0].person)) == ["ana"]
    assert store.read(lambda tx: tx.outbox_get("bo")).state is Attempt.PENDING
    assert store.read(lambda tx: tx.outbox_get("other track")).state is Attempt.PENDING
