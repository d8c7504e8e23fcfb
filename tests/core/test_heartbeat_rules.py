"""The heartbeat of a source: what is one, what it pages, and what it leaves alone."""

from dataclasses import replace

import pytest

from escalatord.core.evaluate import evaluate
from escalatord.core.incident import Cause
from escalatord.core.matchers import parse_matchers
from escalatord.core.rules import OWN_SOURCE, Absent, heartbeat_rule
from tests.fakes.rulesets import (
    CRITICAL,
    ERROR,
    MINUTE,
    START,
    WARNING,
    exception,
    level,
    remembered,
    ruleset,
    threshold,
)

NAME = heartbeat_rule("am")
BEATS = replace(
    threshold(NAME, level(CRITICAL), match=f'alertname="{NAME}"'),
    absent=Absent(match=parse_matchers('alertname="Watchdog"'), for_seconds=360.0, source="am", heartbeat=True),
    policy="night",
)
WATCHDOG = {"alertname": "Watchdog"}


def judged(*more, labels, source="am", exceptions=()):
    """Return the verdict on an alert with these labels where the source `am` has a heartbeat."""
    return evaluate(ruleset([*more, BEATS], exceptions), remembered(labels=labels, source=source), START + MINUTE)


def test_a_beat_pages_nobody_and_says_so():
    """Its verdict names the rule that would miss it."""
    verdict = judged(labels=WATCHDOG)
    assert (verdict.severity, verdict.cause, verdict.rule) == (None, Cause.HEARTBEAT, NAME)
    assert [reason.say for reason in verdict.reasons] == ["a heartbeat of am: its absence pages, it does not"]


@pytest.mark.parametrize(
    ("labels", "source"),
    [({"alertname": "DiskFull"}, "am"), (WATCHDOG, "elsewhere"), ({"alertname": NAME}, "am")],
    ids=["another alert", "another source", "somebody who takes the rule's name"],
)
def test_what_is_no_beat_pages_as_ever(labels, source):
    """Only what the source's heartbeat matches is one; nobody else can speak for the rule."""
    verdict = judged(labels=labels, source=source)
    assert (verdict.severity, verdict.cause) == (WARNING, Cause.UNMATCHED)


def test_a_rule_that_looks_at_beats_has_its_way():
    """Who writes a rule for the watchdog means it; an exception all the more."""
    rule = threshold("r", level(ERROR), match='alertname="Watchdog"')
    assert (judged(rule, labels=WATCHDOG).severity, judged(rule, labels=WATCHDOG).cause) == (ERROR, Cause.THRESHOLD)
    verdict = judged(labels=WATCHDOG, exceptions=[exception("e", CRITICAL, match='alertname="Watchdog"')])
    assert (verdict.severity, verdict.cause) == (CRITICAL, Cause.EXCEPTION)


def test_its_absence_is_an_incident_of_its_own_cause():
    """The alert that escalatord makes of silence gets the heartbeat's severity and policy."""
    verdict = judged(labels={"alertname": NAME}, source=OWN_SOURCE)
    assert (verdict.severity, verdict.cause, verdict.policies) == (CRITICAL, Cause.HEARTBEAT, ("night",))


def test_who_has_a_heartbeat():
    """A rule set knows the heartbeat of each source by its name, and of no other."""
    rules = ruleset([BEATS])
    assert rules.heartbeat_of("am") is BEATS
    assert rules.heartbeat_of("pm") is None
    assert BEATS.is_heartbeat
    assert not threshold("r", level(ERROR)).is_heartbeat
