"""Facts: what is measured, when time changes it, and which units fit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.around import Beginning, Tally
from escalatord.core.facts import check_units, count, holds, missing_of, observe, parse_condition
from escalatord.core.rules import AlertRecord, AllOf, AnyOf, Comparison, FactSource, Missing, Service
from escalatord.core.units import Quantity

START = datetime(2026, 10, 24, 1, 6, 9, 123_457, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
SHOP = Service(name="checkout", revenue_per_hour=Quantity(120_000.0, "EUR"))
RATE = FactSource(name="rate", kind="annotation", key="value", unit="percent")
USERS = FactSource(name="users", kind="label", key="users", unit="users", missing=Missing.SKIP)
LATENCY = FactSource(name="latency", kind="value", key="B", unit="seconds", missing=Missing.ASSUME_ZERO)
PLAIN = FactSource(name="plain", kind="value", key="C", unit="")
SOURCES = {source.name: source for source in (RATE, USERS, LATENCY, PLAIN)}
ALERT = Alert(source="am", fingerprint="f", status=AlertStatus.FIRING, starts_at=START, title="t")
RECORD = AlertRecord(alert=ALERT, opened_at=START, last_seen_at=START)


def record(starts=(), **told):
    """Return a record of an alert that tells this."""
    return replace(RECORD, alert=replace(ALERT, **told), starts=tuple(starts))


def seen(text, at, of=RECORD, service=SHOP):
    """Return what is observed for a condition at an instant."""
    return observe(parse_condition(text), of, service, SOURCES, at)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rate > 5%", Comparison(fact="rate", op=">", limit=Quantity(5.0, "percent"), text="rate > 5%")),
        ("  users>=1000 ", Comparison(fact="users", op=">=", limit=Quantity(1000.0), text="users>=1000")),
        (
            "occurrences in 30m >= 3",
            Comparison(
                fact="occurrences", op=">=", limit=Quantity(3.0), window_seconds=1800.0, text="occurrences in 30m >= 3"
            ),
        ),
        (
            "revenue_loss < 50000 EUR",
            Comparison(fact="revenue_loss", op="<", limit=Quantity(50_000.0, "EUR"), text="revenue_loss < 50000 EUR"),
        ),
        (
            "distinct( pod ) in 2m>=5",
            Comparison(
                fact="distinct",
                op=">=",
                limit=Quantity(5.0),
                window_seconds=120.0,
                label="pod",
                text="distinct( pod ) in 2m>=5",
            ),
        ),
        ("firing_alerts > 3", Comparison(fact="firing_alerts", op=">", limit=Quantity(3.0), text="firing_alerts > 3")),
        ("a == -1", Comparison(fact="a", op="==", limit=Quantity(-1.0), text="a == -1")),
        ("a != 15m", Comparison(fact="a", op="!=", limit=Quantity(900.0, "seconds"), text="a != 15m")),
        ("a<=1", Comparison(fact="a", op="<=", limit=Quantity(1.0), text="a<=1")),
    ],
)
def test_condition_is_read_as_fact_operator_and_limit(text, expected):
    """A condition is one fact, one operator, one quantity, and a window for occurrences."""
    assert parse_condition(text) == expected


@pytest.mark.parametrize(
    ("says", "text"),
    [
        ("is not a condition", ""),
        ("is not a condition", "downtime"),
        ("is not a condition", "downtime => 5m"),
        ("is not a condition", "5 > downtime > 3"),
        ("is not a condition", "a > > 1"),
        ("is not a quantity", "downtime >="),
        ("is not a quantity", "downtime >= soon"),
        ("the limit in .* is too large", "downtime >= 1e999"),
        ("needs a window", "occurrences >= 3"),
        ("and nothing else, needs a window", "downtime in 5m >= 3m"),
        ("is not a duration", "occurrences in soon >= 3"),
        ("needs a window", "rule_occurrences > 3"),
        ("and nothing else, needs a window", "firing_alerts in 5m > 3"),
        ("distinct, and nothing else, needs a label", "distinct in 2m >= 5"),
        ("distinct, and nothing else, needs a label", "occurrences(pod) in 2m >= 5"),
        ("needs a window", "distinct(pod) >= 5"),
        ("a window of 0s is always empty", "occurrences in 0s >= 3"),
    ],
)
def test_condition_of_another_shape_is_refused_with_a_sentence(says, text):
    """What is no condition raises a sentence."""
    with pytest.raises(ValueError, match=says):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("rate > 5%", 5.0, False),
        ("rate > 5%", 5.000001, True),
        ("rate >= 5%", 5.0, True),
        ("rate >= 5%", 4.999999, False),
        ("rate < 5%", 5.0, False),
        ("rate < 5%", 4.999999, True),
        ("rate <= 5%", 5.0, True),
        ("rate == 5%", 5.0, True),
        ("rate != 5%", 5.0, False),
        ("rate > 5%", 6, True),
    ],
)
def test_comparison_holds_exactly_at_its_limit(text, value, expected):
    """At the limit, and a hair to each side, every operator means what it says."""
    assert holds(parse_condition(text), value) is expected


@pytest.mark.parametrize(
    ("told", "text", "expected"),
    [
        ({"annotations": {"value": "8.2"}}, "rate > 5%", Quantity(8.2, "percent")),
        ({"annotations": {"value": "8.2%"}}, "rate > 5%", Quantity(8.2, "percent")),
        ({"annotations": {"value": "8.2%"}}, "rate > 5", Quantity(8.2, "percent")),
        ({"labels": {"users": "1200 users"}}, "users >= 1000", Quantity(1200.0, "users")),
        ({"values": {"B": Quantity(2.4)}}, "latency > 2s", Quantity(2.4, "seconds")),
        ({"values": {"B": Quantity(2)}}, "latency > 2s", Quantity(2, "seconds")),
        ({"annotations": {"B": "2"}, "labels": {"B": "2"}}, "latency > 2s", None),
        ({"values": {"C": Quantity(7.0)}}, "plain > 2", Quantity(7.0)),
        ({}, "rate > 5%", None),
        ({"annotations": {"value": ""}}, "rate > 5%", None),
        ({"annotations": {"value": "many"}}, "rate > 5%", None),
        ({"annotations": {"value": "NaN"}}, "rate > 5%", None),
        ({"annotations": {"value": "1e999"}}, "rate > 5%", None),
        ({"annotations": {"value": "8 users"}}, "rate > 5%", None),
        ({"annotations": {"value": "8"}}, "rate > 5 users", None),
        ({"values": {"B": Quantity(float("nan"))}}, "latency > 2s", None),
        ({"values": {"B": Quantity(float("inf"))}}, "latency > 2s", None),
        ({"values": {"B": Quantity(10**400)}}, "latency > 2s", None),
        ({"values": {"B": Quantity(2.4, "percent")}}, "latency > 2s", None),
        ({}, "no_such_fact > 2s", None),
    ],
)
def test_configured_fact_is_read_where_it_stands(told, text, expected):
    """A label, an annotation or a value is read in the fact's unit; anything else cannot be had."""
    assert seen(text, START, record(**told)) == (expected, None)


@pytest.mark.parametrize("text", ["firing_alerts > 1s", "rule_occurrences in 1h > 1%", "distinct(a) in 1h > 1 EUR"])
def test_counts_are_bare_numbers(text):
    """A count that is compared with anything else cannot be had; `check` says so before."""
    assert count(parse_condition(text), Tally(firing=2), START) == (None, None)
    assert check_units(parse_condition(text), SOURCES, {}) != []


def test_counts_of_a_window_without_end_are_all_that_is_known():
    """A window longer than the calendar holds every beginning."""
    tally = Tally(begun=[Beginning(START, {})])
    assert count(parse_condition("rule_occurrences in 999999999w >= 1"), tally, START) == (Quantity(1.0), None)


def test_no_limit_may_be_higher_than_what_is_counted():
    """A thousand beginnings are kept; more can never be reached."""
    (say,) = check_units(parse_condition("rule_occurrences in 1h > 1001"), SOURCES, {})
    assert "at most 1000 episodes are counted" in say
    assert check_units(parse_condition("firing_alerts > 5000"), SOURCES, {}) == []


def test_missing_fact_means_what_its_source_says():
    """Built-in and unknown facts page when missing; configured ones as configured."""
    meant = [missing_of(parse_condition(f"{name} > 1"), SOURCES) for name in ("rate", "users", "latency", "downtime")]
    assert meant == [Missing.PAGE, Missing.SKIP, Missing.ASSUME_ZERO, Missing.PAGE]


@pytest.mark.parametrize(
    ("text", "at", "seconds", "changes_at"),
    [
        ("downtime >= 15m", START, 0.0, START + 15 * MINUTE),
        ("downtime >= 15m", START + 10 * MINUTE, 600.0, START + 15 * MINUTE),
        ("downtime >= 15m", START - 10 * MINUTE, 0.0, START + 15 * MINUTE),
        ("downtime >= 15m", START + 15 * MINUTE, 900.0, None),
        ("downtime > 15m", START + 15 * MINUTE, 900.0, START + 15 * MINUTE + MICROSECOND),
        ("downtime < 15m", START, 0.0, START + 15 * MINUTE),
        ("downtime <= 15m", START, 0.0, START + 15 * MINUTE + MICROSECOND),
        ("downtime == 15m", START, 0.0, START + 15 * MINUTE),
        ("downtime != 15m", START + 15 * MINUTE, 900.0, START + 15 * MINUTE + MICROSECOND),
        ("downtime >= 0s", START - MINUTE, 0.0, None),
        ("downtime > 0s", START - MINUTE, 0.0, START + MICROSECOND),
        ("downtime > -5", START - MINUTE, 0.0, None),
        ("downtime >= 500w", START, 0.0, START + timedelta(weeks=500)),
        ("downtime >= 1e30 s", START, 0.0, None),
    ],
)
def test_downtime_counts_from_the_senders_start(text, at, seconds, changes_at):
    """Downtime is never negative, and names the exact instant of the next crossing."""
    assert seen(text, at) == (Quantity(seconds, "seconds"), changes_at)


def test_downtime_crossing_beyond_the_calendar_never_comes():
    """A crossing after the year 9999 is no instant."""
    late = record(starts_at=datetime(9999, 12, 31, tzinfo=UTC))
    assert seen("downtime >= 3d", START, late) == (Quantity(0.0, "seconds"), None)


def test_downtime_cannot_be_compared_with_anything_but_time():
    """A limit in another unit makes it a fact that cannot be had."""
    assert seen("downtime >= 5 users", START) == (None, None)


def test_revenue_loss_accrues_by_the_hour():
    """120,000 EUR an hour reach 50,000 EUR after exactly 25 minutes."""
    crossing = START + 25 * MINUTE
    assert seen("revenue_loss >= 50000 EUR", START + 10 * MINUTE) == (
        Quantity(pytest.approx(20_000.0), "EUR"),
        crossing,
    )
    assert seen("revenue_loss >= 50000 EUR", crossing) == (Quantity(pytest.approx(50_000.0), "EUR"), None)
    assert seen("revenue_loss >= 50000", START - MINUTE) == (Quantity(0.0, "EUR"), crossing)


@pytest.mark.parametrize(
    "service",
    [
        None,
        Service(name="checkout"),
        Service(name="checkout", revenue_per_hour=Quantity(1.0, "USD")),
        Service(name="checkout", revenue_per_hour=Quantity(-1.0, "EUR")),
        Service(name="checkout", revenue_per_hour=Quantity(float("inf"), "EUR")),
        Service(name="checkout", revenue_per_hour=Quantity(float("nan"), "EUR")),
    ],
    ids=["no service", "no revenue", "another currency", "negative", "infinite", "not a number"],
)
def test_revenue_loss_cannot_be_had_without_a_comparable_revenue(service):
    """No revenue in the limit's currency, no loss."""
    assert seen("revenue_loss >= 50000 EUR", START + MINUTE, service=service) == (None, None)


def test_revenue_loss_of_a_service_that_earns_nothing_never_crosses():
    """Nothing times any time is nothing."""
    service = Service(name="checkout", revenue_per_hour=Quantity(0.0, "EUR"))
    assert seen("revenue_loss >= 1 EUR", START + MINUTE, service=service) == (Quantity(0.0, "EUR"), None)


@given(
    st.sampled_from(["downtime", "revenue_loss"]),
    st.sampled_from([">", ">=", "<", "<=", "==", "!="]),
    st.floats(min_value=0, max_value=1e7),
    st.floats(min_value=0.01, max_value=1e9),
    st.integers(min_value=-(10**9), max_value=10**13),
)
def test_accruing_fact_changes_exactly_at_the_instant_named(fact, op, limit, rate, micros):
    """At the instant named the comparison is the other one, a microsecond before it and any time between it is not."""
    unit = "seconds" if fact == "downtime" else "EUR"
    comparison = Comparison(fact=fact, op=op, limit=Quantity(limit, unit), text="")
    service = Service(name="s", revenue_per_hour=Quantity(rate, "EUR"))

    def truth(at):
        quantity, changes_at = observe(comparison, RECORD, service, SOURCES, at)
        return holds(comparison, quantity.value), changes_at

    now = START + micros * MICROSECOND
    before, changes_at = truth(now)
    assume(changes_at is not None)
    assert changes_at > now
    assert truth(changes_at)[0] is not before
    for between in (now, now + (changes_at - now) / 2, changes_at - MICROSECOND):
        assert truth(between) == (before, changes_at)


@pytest.mark.parametrize(
    ("text", "at", "count", "changes_at"),
    [
        ("occurrences in 30m >= 3", START + 20 * MINUTE, 3, START + 30 * MINUTE),
        ("occurrences in 30m >= 3", START + 30 * MINUTE, 2, None),
        ("occurrences in 30m > 1", START + 30 * MINUTE, 2, START + 40 * MINUTE),
        ("occurrences in 30m < 3", START + 20 * MINUTE, 3, START + 30 * MINUTE),
        ("occurrences in 30m == 1", START + 20 * MINUTE, 3, START + 40 * MINUTE),
        ("occurrences in 30m >= 3", START + 24 * 60 * MINUTE, 0, None),
        ("occurrences in 99999999999w >= 3", START, 3, None),
    ],
)
def test_occurrences_are_the_episodes_inside_the_window(text, at, count, changes_at):
    """Episodes count while they are younger than the window, and leave at a named instant."""
    flapping = record(starts=[START, START + 10 * MINUTE, START + 20 * MINUTE])
    assert seen(text, at, flapping) == (Quantity(float(count)), changes_at)


def test_occurrences_cannot_be_compared_with_a_unit():
    """A limit in users is not a number of episodes."""
    assert seen("occurrences in 30m >= 3 users", START) == (None, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rate > 5%", ""),
        ("rate > 5", ""),
        ("users >= 1000", ""),
        ("users >= 1000 users", ""),
        ("plain > 3", ""),
        ("latency > 0", ""),
        ("latency > 2s", ""),
        ("downtime >= 15m", ""),
        ("occurrences in 30m >= 64", ""),
        ("revenue_loss >= 50000 EUR", ""),
        ("revenue_loss > 0", ""),
        ("rate > 1000 users", "rate counts percent, not users"),
        ("users > 5%", "users counts users, not percent"),
        ("plain > 5%", "plain counts a bare number, not percent"),
        ("downtime >= 5%", "downtime counts seconds, not percent"),
        ("downtime >= 15", "downtime counts seconds; say so in the limit, like 15m"),
        ("latency > 2", "latency counts seconds; say so in the limit, like 15m"),
        ("revenue_loss >= 50000", "revenue_loss counts EUR; say so in the limit, like 50000 EUR"),
        ("revenue_loss >= 50000 USD", "revenue_loss counts EUR, not USD"),
        ("downtime == 15m", "downtime grows all the time"),
        ("revenue_loss != 1 EUR", "revenue_loss grows all the time"),
        ("occurrences in 30m >= 3 users", "occurrences counts a bare number, not users"),
        ("occurrences in 30m >= 65", "at most 64 episodes are remembered"),
        ("usres > 3", "usres is not a fact; known are distinct, downtime, firing_alerts, latency"),
    ],
)
def test_units_that_do_not_fit_are_named(text, says):
    """Each misfit is one sentence with the condition as written; a fit is silent."""
    complaints = check_units(parse_condition(text), SOURCES, {"checkout": SHOP})
    assert len(complaints) == bool(says)
    assert "".join(complaints).startswith(f'"{text}": {says}' if says else "")


def test_units_of_revenue_need_a_service_that_earns():
    """Without any revenue_per_hour a loss can never be known."""
    services = {"internal": Service(name="internal")}
    assert check_units(parse_condition("revenue_loss > 1 EUR"), SOURCES, services) == [
        '"revenue_loss > 1 EUR": no service says its revenue_per_hour'
    ]


def test_units_are_checked_in_every_part_of_a_condition():
    """All misfits of a nested condition are told at once, in the order written."""
    bad, good, worse = (parse_condition(text) for text in ("rate > 1 EUR", "rate > 1%", "downtime >= 3%"))
    condition = AnyOf(parts=(bad, AllOf(parts=(good, worse))))
    complaints = check_units(condition, SOURCES, {})
    assert [complaint.split(":")[0] for complaint in complaints] == ['"rate > 1 EUR"', '"downtime >= 3%"']
