"""Incidents filled in from one that opened alike are what `step` would have made of each."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from escalatord.config.load import load
from escalatord.core.alert import Severity
from escalatord.core.events import AlertFired
from escalatord.core.incident import Cause
from escalatord.core.ruleset import Ruleset, World
from escalatord.engine.openings import TOLD_BY_THE_ALERT
from escalatord.engine.surroundings import Surroundings
from escalatord.engine.unit import Unit

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)


@cache
def the_rules() -> Ruleset:
    """Return the shipped rules: every kind of policy is among them."""
    return load(RULES).ruleset


def a_unit() -> Unit:
    """Return a unit of work that needs no store, because opening reads nothing."""
    ruleset = the_rules()
    world = World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})
    return Unit(None, NOW, world, b"k" * 32, Surroundings(ruleset))  # type: ignore[arg-type] # opening reads nothing


def opened_by(unit: Unit, event: AlertFired) -> tuple[object, object, object]:
    """Return the incident, its attempts and its journal after `event` has opened one."""
    rows, entries = len(unit.outbox), len(unit.journal)
    outcome = unit.happen(None, event)
    assert unit.incidents[event.number] == unit.changed[event.number] == outcome.incident
    assert unit.by_key[event.key] == event.number
    return outcome.incident, unit.outbox[rows:], unit.journal[entries:]


words = st.text(max_size=8)


@st.composite
def kinds(draw: st.DrawFn) -> dict[str, object]:
    """Draw what decides how an incident opens."""
    policies = st.sampled_from(list(the_rules().policies.values()))
    return {
        "source": draw(st.sampled_from(("am", "grafana"))),
        "service": draw(st.sampled_from(("", "checkout"))),
        "severity": draw(st.sampled_from(Severity)),
        "cause": draw(st.sampled_from((Cause.THRESHOLD, Cause.EXCEPTION, Cause.RAISED))),
        "rule": draw(st.sampled_from(("one", "two"))),
        "policies": tuple(draw(st.lists(policies, min_size=1, max_size=2, unique_by=lambda each: each.name))),
        "start_at": draw(st.integers(0, 2)),
    }


@st.composite
def events(draw: st.DrawFn) -> tuple[AlertFired, ...]:
    """Draw events of few kinds and many words, each with a number of its own."""
    some = draw(st.lists(kinds(), min_size=1, max_size=3))
    return tuple(
        AlertFired(
            number=draw(st.sampled_from((number, number + 1000, number + 10**6))),
            key=f"key|{number}",
            fingerprint=draw(words),
            title=draw(words),
            summary=draw(words),
            links=draw(st.dictionaries(words, words, max_size=2)),
            truncated=draw(st.integers(0, 2)),
            why={"said": draw(words)},
            **draw(st.sampled_from(some)),
        )
        for number in range(1, draw(st.integers(2, 12)) + 1)
    )


@given(events())
def test_what_is_filled_in_is_what_a_step_would_have_made(several):
    """One unit opens all of them, another one each: incidents, attempts and journal entries are the same."""
    together = a_unit()
    for event in several:
        assert opened_by(together, event) == opened_by(a_unit(), event)


def test_the_world_that_changes_within_a_transaction_is_looked_at_anew():
    """After an address has died in the same transaction, the next incident does not page it."""
    ruleset = the_rules()
    policy = ruleset.policies[ruleset.unmatched.policy]
    common = {"source": "am", "title": "", "summary": "", "links": {}, "service": "", "rule": ""}
    one, two = (
        AlertFired(
            number=number,
            key=str(number),
            fingerprint=str(number),
            severity=Severity.CRITICAL,
            cause=Cause.UNMATCHED,
            policies=(policy,),
            **common,
        )
        for number in (1, 2)
    )
    unit = a_unit()
    _incident, rows, _entries = opened_by(unit, one)
    ways = {(row.person, ruleset.channels[row.channel].address_key) for row in rows}
    dead = {(person, address) for person, address in ways if address}
    assert dead
    unit.world = World(ruleset=ruleset, policies=unit.world.policies, unreachable=frozenset(dead))
    _incident, rows, _entries = opened_by(unit, two)
    assert dead.isdisjoint((row.person, ruleset.channels[row.channel].address_key) for row in rows)


def test_what_the_alert_tells_is_a_part_of_the_event():
    """A renamed field is not left out of what decides by mistake."""
    assert set(AlertFired.__dataclass_fields__) >= TOLD_BY_THE_ALERT
