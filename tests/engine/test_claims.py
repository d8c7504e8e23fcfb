"""Claims of the sender against a real store: every row gets its turn, whatever lies before it."""

from datetime import timedelta

import pytest

from escalatord.config.load import load
from escalatord.core.codes import CODES_MAX
from escalatord.core.events import Ack, Resolve
from escalatord.core.incident import Attempt, State, Via
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Answer, Claim, Ingest, Receipt
from escalatord.ingest import parse
from escalatord.store.store import Store
from tests.bench.rules import rules
from tests.bench.tools.payloads import Template
from tests.store.samples import NOW

LANE = "webhook/webhook"


@pytest.fixture
def batch(tmp_path):
    """Give a batch on a database of its own; one webhook pages for everything."""
    (tmp_path / "all.yaml").write_text(rules(9))
    store = Store(f"sqlite:///{tmp_path}/escalatord.db", ballast_bytes=0)
    store.open()
    yield Batch(store, load(tmp_path).ruleset, b"k" * 32)
    store.close()


def fire(batch, numbers, **labels):
    """Commit one body with an alert for each number."""
    body = Template(len(numbers), **labels).fill(list(numbers), 10**18)
    alerts = parse(batch.ruleset.sources["alertmanager"], body, "application/json", NOW).alerts
    batch.commit([Ingest(source="alertmanager", alerts=alerts)], NOW)


def claim(batch, room, seconds=0.0):
    """Return what one claim comes to."""
    now = NOW + timedelta(seconds=seconds)
    (claimed,) = batch.commit([Claim(room={LANE: room}, lease_seconds=30.0)], now).results
    return claimed


def test_pages_go_out_when_all_codes_of_a_person_are_in_use(batch):
    """Past the last code a page has none; it still goes out, and its link answers."""
    fire(batch, range(CODES_MAX + 2))
    claimed = claim(batch, CODES_MAX + 2)
    codes = [item.code for item in claimed]
    assert len(claimed) == CODES_MAX + 2
    assert codes.count("") == 2
    assert len(set(codes) - {""}) == CODES_MAX
    assert all(item.link_token for item in claimed)


@pytest.mark.parametrize(
    "event", [Ack(person="ana", via=Via.WEB), Resolve(person="ana", via=Via.WEB)], ids=["ack", "end"]
)
def test_an_answer_in_the_same_transaction_comes_before_a_claim(batch, event):
    """Whoever answers while the sender asks is heard first: the page that was asked for is not handed out any more.

    Once it were handed out, the news of the answer could be over before the sender listens for news of this page.
    """
    fire(batch, [1])
    ask, answer = Claim(room={LANE: 9}, lease_seconds=30.0), Answer(incident=1, event=event)
    claimed, answered = batch.commit([ask, answer], NOW).results
    assert [item.row.kind.value for item in claimed] == []
    assert answered.incident.state is not State.OPEN
    assert [item.row.kind.value for item in claim(batch, 9, seconds=1)] == ["update"]


def test_what_waits_behind_a_withdrawn_row_is_claimed_with_it(batch):
    """A page that nobody needs any more does not use up the room of the next one."""
    fire(batch, [1], **{"class": "ticking"})
    fire(batch, [2])
    (urgent,) = claim(batch, 1)
    resolve = Answer(incident=urgent.incident.number, event=Resolve(person="ana", via=Via.WEB))
    failed = Receipt(reference=urgent.row.reference, status=Attempt.FAILED_TEMPORARY, reason="timeout")
    batch.commit([resolve, failed], NOW)
    # the more severe rows come first: news of the resolve, and the page that is to be tried again
    claimed = claim(batch, 2, seconds=5)
    assert [(item.incident.number, item.row.kind.value) for item in claimed] == [(1, "update"), (2, "page")]
    assert claim(batch, 9, seconds=6) == ()


def test_many_receipts_in_one_commit_are_each_taken(batch):
    """News of several attempts, of one of them twice, and of none we know come in one batch."""
    fire(batch, [1, 2])
    first, second = claim(batch, 2)
    told = [
        Receipt(reference=first.row.reference, status=Attempt.ACCEPTED, provider_id="a"),
        Receipt(reference=second.row.reference, status=Attempt.DELIVERED),
        Receipt(reference=first.row.reference, status=Attempt.DELIVERED),
        Receipt(reference="i0-0-0", status=Attempt.DELIVERED),
    ]
    reasons = [result.reason for result in batch.commit(told, NOW).results]
    assert reasons == ["delivery_advanced", "delivery_advanced", "delivery_advanced", "delivery_stale"]
    assert claim(batch, 9, seconds=100) == ()
