"""What somebody waits for and got, and messages that tell of several things."""

from dataclasses import replace

from escalatord.core.incident import Attempt, NoticeKind, State
from escalatord.store.digests import DIGEST_CODE_SECONDS
from escalatord.store.outbox import settled
from escalatord.store.rows import DigestRow, MemberRow, Sent
from tests.store.samples import NOW, attempt, incident, minutes

DIGEST = DigestRow(reference="d1", person="ana", code="K8", made_at=NOW)
MEMBERS = [
    MemberRow(reference="a", incident=1, track="technical", kind=NoticeKind.PAGE),
    MemberRow(reference="b", incident=2, track="technical", kind=NoticeKind.STAND_DOWN),
]


def sent(store, reference, at, **changes):
    """Put an attempt into the outbox that a provider took then."""
    begun = attempt(reference, **changes)
    store.write(lambda tx: tx.outbox_add([begun]))
    (claimed,) = store.write(lambda tx: tx.outbox_claim([begun], minutes(9)))
    after = settled(claimed, Attempt.ACCEPTED, ("", ""), at)
    store.write(lambda tx: tx.outbox_save([(claimed, after)]))


def test_what_somebody_got(store):
    """By channel and kind; what is being sent counts as sent now, what others got does not count."""
    sent(store, "a", minutes(1))
    sent(store, "b", minutes(2), kind=NoticeKind.DIGEST)
    sent(store, "c", minutes(2), person="bo")
    under_way = attempt("d", channel="call", lane="call/sim")
    store.write(lambda tx: (tx.outbox_add([under_way]), tx.outbox_claim([under_way], minutes(9))))
    found = store.read(lambda tx: tx.sent_to("ana", minutes(0), minutes(3)))
    assert found == [
        Sent(channel="sms", kind=NoticeKind.PAGE, at=minutes(1)),
        Sent(channel="sms", kind=NoticeKind.DIGEST, at=minutes(2)),
        Sent(channel="call", kind=NoticeKind.PAGE, at=minutes(3)),
    ]
    assert len(store.read(lambda tx: tx.sent_to("ana", minutes(1), minutes(3)))) == 2


def test_what_somebody_waits_for(store):
    """Pending and never tried, by these channels, due or not as asked."""
    rows = [
        attempt("now"),
        replace(attempt("later"), due_at=minutes(5)),
        attempt("bos", person="bo"),
        attempt("call", channel="call", lane="call/sim"),
        replace(attempt("tried"), claims=1),
    ]
    store.write(lambda tx: tx.outbox_add(rows))

    def waiting(until, limit=9):
        found = store.read(lambda tx: tx.waiting_for("ana", {"sms"}, until, limit))
        return [each.reference for each in found]

    assert waiting(minutes(1)) == ["now"]
    assert waiting(None) == ["now", "later"]
    assert waiting(None, 1) == ["now"]


def test_who_was_told_of_which_epoch(store):
    """Only what a provider took counts."""
    sent(store, "a", minutes(1), incident=4, epoch=2)
    store.write(lambda tx: tx.outbox_add([attempt("b", incident=5)]))
    assert store.read(lambda tx: tx.told((4, 5))) == {(4, "ana", "technical", 2)}


def test_a_digest_and_what_is_in_it(store):
    """Found by its reference, by its reader, and from what is in it."""
    store.write(lambda tx: tx.add_digest(DIGEST, MEMBERS))
    assert store.read(lambda tx: (tx.digest("d1"), tx.digest("d2"))) == (DIGEST, None)
    assert store.read(lambda tx: tx.members_of(["d1", "d2"])) == {"d1": MEMBERS}
    assert store.read(lambda tx: tx.digest_of(["a", "x"])) == {"a": "d1"}
    assert store.read(lambda tx: tx.digests_of("bo", NOW)) == []


def test_a_digests_code_rests_for_a_day_and_while_anything_in_it_is_open(store):
    """It is not given to another incident before."""
    store.write(lambda tx: (tx.add_digest(DIGEST, MEMBERS), tx.save([incident(1)])))
    day = minutes(DIGEST_CODE_SECONDS / 60)
    assert store.read(lambda tx: tx.digests_of("ana", day)) == [DIGEST]
    assert store.read(lambda tx: tx.codes_in_use("ana", day)) == {"K8"}
    (known,) = store.read(lambda tx: tx.load((1,))).values()
    store.write(lambda tx: tx.save([replace(known, state=State.RESOLVED, timers=(), resolved_at=NOW)]))
    assert store.read(lambda tx: tx.digests_of("ana", minutes(1))) == [DIGEST]
    assert store.read(lambda tx: (tx.digests_of("ana", day), tx.codes_in_use("ana", day))) == ([], set())


def test_codes_are_held_again(store):
    """An incident that goes on has its codes as before it ended."""
    from escalatord.store.rows import CodeRow  # noqa: PLC0415

    code = CodeRow(person="ana", code="K7", incident=1, track="technical")
    store.write(lambda tx: (tx.assign_codes([code]), tx.release_codes(1, NOW), tx.hold_codes(1)))
    assert store.read(lambda tx: tx.codes_of("ana", minutes(9999))) == [code]


def test_the_incident_of_a_key_that_ended_last(store):
    """Open ones are not among them; of several the newest."""
    ended = {"state": State.RESOLVED, "timers": (), "resolved_at": NOW, "key": "k"}
    items = [replace(incident(n), **ended) for n in (1, 2)]
    store.write(lambda tx: tx.save([*items, replace(incident(3), key="k")]))
    assert store.read(lambda tx: {key: each.number for key, each in tx.load_over(["k", "x"]).items()}) == {"k": 2}


def test_open_incidents_of_services(store):
    """The oldest of each; what is over or has no service does not count."""
    ended = {"state": State.RESOLVED, "timers": (), "resolved_at": NOW}
    items = [
        replace(incident(1), service="db", key="a", **ended),
        replace(incident(2), service="db", key="b"),
        replace(incident(3), service="db", key="c"),
        replace(incident(4), service="", key="d"),
    ]
    store.write(lambda tx: tx.save(items))
    assert store.read(lambda tx: tx.open_of_services(["db", "web", ""])) == {"db": 2}
