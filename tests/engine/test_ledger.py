"""The figures about incidents as a fold over the journal."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.incident import Reason, Via
from escalatord.engine.ledger import CLIMBS, Ledger, Times
from escalatord.figures import COUNTERS, ESCALATION_REASONS, OUTCOMES, TIMES
from escalatord.store.rows import JournalEntry, JournalRow

START = datetime(2026, 10, 24, 3, 11, 14, tzinfo=UTC)
BOUNDS = (60.0, 300.0, 900.0)
PAYMENTS = ("payments", "critical")


def row(kind: str, *, incident: int = 142, via: Via = Via.CLOCK, **body: object) -> JournalRow:
    """Return a journal row as `step` writes it."""
    facts = {"policy": "payments", "severity": "critical", **body}
    entry = JournalEntry(incident=incident, at=START, actor="ana", via=via, kind=kind, body=facts)
    return JournalRow(seq=1, entry=entry, prev_hash="", hash="")


def applied(*rows: JournalRow) -> Ledger:
    """Return a ledger of these rows."""
    ledger = Ledger(BOUNDS)
    for each in rows:
        ledger.apply(each)
    return ledger


@pytest.mark.parametrize(
    ("rows", "counters", "times"),
    [
        pytest.param(
            [row("opened", cause="threshold")], {("incidents_opened", (*PAYMENTS, "threshold")): 1}, {}, id="opened"
        ),
        pytest.param(
            [row("opened", cause="exception")],
            {("incidents_opened", (*PAYMENTS, "exception")): 1, ("exceptions", ("payments",)): 1},
            {},
            id="opened by an exception",
        ),
        pytest.param(
            [row("opened", cause="unmatched")],
            {("incidents_opened", (*PAYMENTS, "unmatched")): 1, ("unmatched", ("payments",)): 1},
            {},
            id="opened by nothing that matched",
        ),
        pytest.param(
            [row("first_paged", seconds=0.21)], {}, {("time_to_first_page", PAYMENTS): [210]}, id="first page"
        ),
        pytest.param(
            [row("acknowledged", via=Via.SMS, seconds=87, first=True, tier=1)],
            {("acknowledgements", ("sms", "ok")): 1},
            {("time_to_acknowledge", (*PAYMENTS, "1")): [87_000]},
            id="first ack on the main track",
        ),
        pytest.param(
            [row("acknowledged", via=Via.CALL, seconds=87, first=False, late=True, tier=2)],
            {("acknowledgements", ("call", "late")): 1},
            {},
            id="a later ack is no time to acknowledge",
        ),
        pytest.param(
            [row("ack_duplicate", via=Via.LINK), row("ack_joined", via=Via.WEB), row("taken_over", via=Via.CLI)],
            {
                ("acknowledgements", ("link", "duplicate")): 1,
                ("acknowledgements", ("web", "ok")): 1,
                ("acknowledgements", ("cli", "ok")): 1,
            },
            {},
            id="answers to what was acked",
        ),
        pytest.param(
            [row("tier_entered", to_tier=1, cycle=0, reason="opened", seconds=0)],
            {},
            {},
            id="the first tier is no climb",
        ),
        pytest.param(
            [row("tier_entered", to_tier=2, cycle=0, reason="opened", seconds=0)],
            {},
            {},
            id="beginning at tier 2 because the policy skips is no climb",
        ),
        pytest.param(
            [row("tier_entered", to_tier=2, cycle=0, reason="exception", seconds=0)],
            {("escalations", (*PAYMENTS, "2", "exception")): 1},
            {("time_to_escalate", (*PAYMENTS, "2")): [0]},
            id="beginning at tier 2 by an exception rule",
        ),
        pytest.param(
            [
                row("tier_entered", to_tier=2, cycle=0, reason="timeout", seconds=300.0004),
                row("tier_entered", to_tier=1, cycle=1, reason="timeout", seconds=900),
                row("tier_entered", to_tier=2, cycle=1, reason="timeout", seconds=1200),
            ],
            {("escalations", (*PAYMENTS, "2", "timeout")): 2, ("escalations", (*PAYMENTS, "1", "timeout")): 1},
            {("time_to_escalate", (*PAYMENTS, "2")): [300_000]},
            id="a repeat climbs again but its times are not the first",
        ),
        pytest.param(
            [row("tier_entered", to_tier=2, cycle=0, first=False, reason="manual", seconds=9)],
            {("escalations", (*PAYMENTS, "2", "manual")): 1},
            {},
            id="a tier reached for the second time has no time",
        ),
        pytest.param(
            [row("tier_entered", to_tier=2, cycle=0, main=False, reason="timeout", seconds=9)],
            {("escalations", (*PAYMENTS, "2", "timeout")): 1},
            {},
            id="another track than the main one has no time",
        ),
        pytest.param([row("exhausted")], {("exhausted", ("payments",)): 1}, {}, id="exhausted"),
        pytest.param(
            [row("resolved", outcome="acked", seconds=480)],
            {("incidents_closed", (*PAYMENTS, "acked")): 1},
            {("time_to_resolve", PAYMENTS): [480_000]},
            id="resolved",
        ),
        pytest.param(
            [row("config_loaded", incident=0), row("opened", incident=0), row("from_the_future", seconds=3)],
            {},
            {},
            id="the daemon's own entries and unknown kinds",
        ),
        pytest.param(
            [row("first_paged"), row("first_paged", seconds="soon"), row("first_paged", seconds=float("nan"))],
            {},
            {},
            id="a time that is none",
        ),
        pytest.param(
            [
                row("first_paged", seconds=-3),
                row("first_paged", seconds=float("inf")),
                row("first_paged", seconds=1e300),
            ],
            {},
            {("time_to_first_page", PAYMENTS): [0, 3_162_240_000_000, 3_162_240_000_000]},
            id="times out of reason are kept within it",
        ),
    ],
)
def test_rows_become_figures(
    rows: list[JournalRow],
    counters: dict[tuple[str, tuple[str, ...]], int],
    times: dict[tuple[str, tuple[str, ...]], list[int]],
) -> None:
    """Each kind of journal row changes exactly the figures it should."""
    ledger = applied(*rows)
    assert ledger.counters() == counters
    measured = {
        key: sorted(ms for ms, count in found.values.items() for _ in range(count))
        for key, found in ledger.times().items()
    }
    assert measured == times


def test_times_are_counted_into_buckets_with_the_bound_included() -> None:
    """A time that equals a bound belongs to its bucket; what is longer than all lies in +Inf."""
    times = Times((60_000, 300_000))
    for value in (1, 60_000, 60_001, 300_000, 300_001):
        times.add(value)
    assert times.counts == [2, 2, 1]
    assert times.sum_ms == 720_003


def test_new_bounds_count_everything_again() -> None:
    """When a policy's window changes, old times are counted into the new buckets exactly."""
    ledger = applied(*(row("first_paged", seconds=seconds) for seconds in (10, 59, 61, 299, 301)))
    times = ledger.times()["time_to_first_page", PAYMENTS]
    assert times.counts == [2, 2, 1, 0]
    ledger.set_bounds((300.0, 10.0, 10.0))
    assert ledger.bounds_seconds == (10.0, 300.0)
    assert times.counts == [1, 3, 1]
    ledger.apply(row("first_paged", seconds=5))
    assert times.counts == [2, 3, 1]


def test_exemplar_names_the_latest_incident_of_a_bucket() -> None:
    """Each bucket remembers the incident of its latest time."""
    ledger = applied(row("first_paged", incident=7, seconds=61), row("first_paged", incident=8, seconds=62))
    exemplars = ledger.times()["time_to_first_page", PAYMENTS].exemplars
    assert list(exemplars) == [1]
    assert (exemplars[1].incident, exemplars[1].seconds, exemplars[1].at) == (8, 62.0, START.timestamp())


@pytest.mark.parametrize("bounds", [(60.0, 300.0), ()], ids=["bounds", "no bounds"])
def test_too_many_values_are_rounded_without_changing_the_figures(bounds: tuple[float, ...]) -> None:
    """Past the limit of distinct times memory stays bounded; counts and sums stay exact."""
    exact, small = Ledger(bounds), Ledger(bounds, values_max=50)
    for number in range(500):
        each = row("first_paged", seconds=number + 0.001 * number)
        exact.apply(each)
        small.apply(each)
    one, other = exact.times()["time_to_first_page", PAYMENTS], small.times()["time_to_first_page", PAYMENTS]
    assert one.counts == other.counts
    assert one.sum_ms == other.sum_ms
    assert len(one.values) == 500
    assert len(other.values) <= 60


def test_rounding_is_rare_even_with_many_label_sets() -> None:
    """With more label sets than the limit allows values, rounding does not happen at every row."""
    ledger = Ledger(BOUNDS, values_max=10)
    for number in range(200):
        ledger.apply(row("first_paged", policy=f"p{number}", seconds=number))
    assert len(ledger.times()) == 200
    assert sum(sum(times.counts) for times in ledger.times().values()) == 200


SECONDS = st.integers(0, 20_000) | st.floats(0, 20_000)
ROWS = st.one_of(
    st.builds(row, st.just("opened"), cause=st.sampled_from(["threshold", "exception", "unmatched"])),
    st.builds(row, st.sampled_from(["first_paged", "resolved"]), seconds=SECONDS, outcome=st.sampled_from(OUTCOMES)),
    st.builds(row, st.just("acknowledged"), seconds=SECONDS, first=st.booleans(), tier=st.integers(1, 3)),
    st.builds(
        row,
        st.just("tier_entered"),
        seconds=SECONDS,
        to_tier=st.integers(1, 3),
        cycle=st.integers(0, 1),
        reason=st.sampled_from(sorted(Reason)),
    ),
    st.builds(
        row, st.sampled_from(["exhausted", "ack_duplicate", "noted"]), policy=st.sampled_from(["payments", "legal"])
    ),
)


@given(st.lists(ROWS, max_size=30), st.randoms())
def test_order_does_not_matter(rows: list[JournalRow], chance: object) -> None:
    """Two nodes that see the same rows in another order come to the same snapshot."""
    other = list(rows)
    chance.shuffle(other)
    assert applied(*rows).snapshot() == applied(*other).snapshot()


@given(st.lists(ROWS, max_size=30), st.integers(0, 30))
def test_a_checkpoint_and_the_rest_are_the_whole(rows: list[JournalRow], cut: int) -> None:
    """A ledger restored from a checkpoint (as JSON) and fed the rest equals one fed everything."""
    restored = Ledger(BOUNDS)
    restored.restore(json.loads(json.dumps(applied(*rows[:cut]).snapshot())))
    for each in rows[cut:]:
        restored.apply(each)
    whole = applied(*rows)
    assert restored.snapshot() == whole.snapshot()
    assert {key: times.counts for key, times in restored.times().items()} == {
        key: times.counts for key, times in whole.times().items()
    }


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"version": 2},
        {"version": 1},
        {"version": 1, "counters": 3, "times": []},
        {"version": 1, "counters": [["a", ["x"], "many"]], "times": []},
        {"version": 1, "counters": [], "times": [["a", ["x"], 1]]},
    ],
    ids=str,
)
def test_foreign_checkpoints_are_refused_whole(snapshot: dict[str, object]) -> None:
    """A checkpoint that cannot be read raises and leaves the ledger as it was."""
    ledger = applied(row("exhausted"))
    before = ledger.snapshot()
    with pytest.raises(ValueError, match="checkpoint"):
        ledger.restore(snapshot)
    assert ledger.snapshot() == before


def test_ledger_and_metrics_speak_of_the_same_figures() -> None:
    """Every figure the ledger can hold has a family in Prometheus with as many labels, and the reasons agree."""
    everything = applied(
        *(row("opened", cause=cause) for cause in ("threshold", "exception", "unmatched")),
        row("first_paged", seconds=1),
        row("acknowledged", seconds=1, first=True, tier=1),
        row("tier_entered", to_tier=2, cycle=0, reason="timeout", seconds=1),
        row("exhausted"),
        row("reopened"),
        row("on_enter", actions=["open_rca"]),
        row("resolved", outcome="acked", seconds=(timedelta(minutes=8)).total_seconds()),
    )
    assert {family.figure: len(family.labels) for family in COUNTERS} == {
        name: len(labels) for name, labels in everything.counters()
    }
    assert {family.figure: len(family.labels) for family in TIMES} == {
        name: len(labels) for name, labels in everything.times()
    }
    assert {reason.value for reason in CLIMBS} == set(ESCALATION_REASONS)
