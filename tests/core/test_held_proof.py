"""What can be proved where pages wait for office hours: who is there when they go out, and how long they wait."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from escalatord.core.alert import Severity
from escalatord.core.matchers import parse_matchers
from escalatord.core.policy import OfficeHours
from escalatord.core.presence import Presence, Stretch, value_at
from escalatord.core.proof import always_holds, bare_world, held, nobody, waiting
from escalatord.core.rules import ExceptionRule
from escalatord.core.worst_case import WorstCases
from tests.fakes.world import LEGAL, OFFICE, RULESET, T0, ladder, tier

SPAN = Stretch(T0, T0 + timedelta(days=9))
MONDAY = datetime(2026, 10, 26, 9, 0, tzinfo=UTC)
HOURS = OfficeHours(calendar="work")
POLICY = ladder(tier("ana"), tier("bo"), hours=HOURS)
RULES = replace(RULESET, policies={"plain": POLICY}, calendars={"work": OFFICE}, regimes={})


def test_pages_wait_between_the_hours():
    """The stretches are whole: the first began before the span, each ends at a start."""
    first, second, *_ = waiting(OFFICE, SPAN)
    assert first.end == MONDAY
    assert (second.start, second.end) == (MONDAY + timedelta(hours=9), MONDAY + timedelta(days=1))
    assert waiting(replace(OFFICE, hours=()), SPAN) == ()


def test_what_holds_at_night_is_what_holds_in_the_morning():
    """A function of time as a page sees it that waits: the value at the next start, in hours its own."""
    pieces = (
        (T0, "day"),
        (MONDAY - timedelta(hours=3), "night"),
        (MONDAY, "day"),
        (MONDAY + timedelta(hours=10), "late"),
    )
    seen = held(pieces, OFFICE, SPAN)
    assert value_at(seen, T0) == "day"
    assert value_at(seen, MONDAY - timedelta(hours=1)) == "day"
    assert value_at(seen, MONDAY + timedelta(hours=9)) == "late"  # the next start is Tuesday's
    assert value_at(seen, SPAN.end - timedelta(minutes=1)) == "late"
    assert held(pieces, replace(OFFICE, hours=()), SPAN) == pieces
    whole = Stretch(T0, T0 + timedelta(hours=2))
    assert held(pieces[:1], OFFICE, whole) == pieces[:1]


def test_a_gap_at_night_is_none_for_who_is_paged_by_day():
    """Nobody on call outside the hours, and nobody is needed then."""
    pieces = ((T0, ()), (MONDAY, ("ana",)), (MONDAY + timedelta(hours=9), ()), (MONDAY + timedelta(hours=24), ("ana",)))
    short = Stretch(T0, MONDAY + timedelta(hours=30))
    assert nobody(pieces, short) is not None
    assert nobody(held(pieces, OFFICE, short), short) is None


def test_only_what_never_pages_at_night_is_excused():
    """An urgent severity, an exception that leads there, a regime, a default, a missing calendar, compliance."""
    track = POLICY.tracks[0]
    rule = ExceptionRule(name="x", match=parse_matchers("a=b"), severity=Severity.CRITICAL, policy="plain", why="w")
    assert always_holds(POLICY, track, replace(RULES, unmatched=replace(RULES.unmatched, policy="plain")))
    assert not always_holds(replace(POLICY, hours=None), track, RULES)
    assert not always_holds(POLICY, track, replace(RULES, calendars={}))
    assert not always_holds(replace(POLICY, hours=replace(HOURS, unless=Severity.CRITICAL)), track, RULES)
    assert not always_holds(replace(LEGAL, hours=HOURS), LEGAL.tracks[0], RULES)
    for other in (
        rule,
        replace(rule, policy="", also=("plain",)),
        replace(rule, policy=""),
    ):
        unmatched = replace(RULES.unmatched, policy="plain")
        assert not always_holds(POLICY, track, replace(RULES, exceptions=(other,), unmatched=unmatched))
    assert always_holds(POLICY, track, replace(RULES, exceptions=(replace(rule, policy="other"),)))
    regime = replace(RULES, exceptions=(replace(rule, policy="other"),), regimes={"pii": "plain"})
    assert not always_holds(POLICY, track, regime)


def test_the_worst_case_says_how_long_it_waits_first():
    """The longest wait of the span stands beside the climb, for the severities that are held alone."""
    urgent = replace(POLICY, hours=replace(HOURS, unless=Severity.CRITICAL))
    rules = replace(RULES, policies={"plain": urgent})
    cases = [case for case in WorstCases(Presence(bare_world(rules), SPAN)).of(urgent) if not case.outage.name]
    found = {case.severities: (case.held_seconds, case.worst.first) for case in cases}
    weekend = (MONDAY - datetime(2026, 10, 23, 18, 0, tzinfo=UTC)).total_seconds()
    assert found == {
        (Severity.INFO, Severity.WARNING, Severity.ERROR): (weekend, 0.0),
        (Severity.CRITICAL,): (0.0, 0.0),
    }
    gone = replace(rules, calendars={})
    assert {case.held_seconds for case in WorstCases(Presence(bare_world(gone), SPAN)).of(urgent)} == {0.0}
