"""Storms: when a bundle opens, what it is called, and why it names a cause."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.bundle import (
    LABELS_MAX,
    SERVICES_MAX,
    group_for,
    is_storm,
    key_of,
    place_of,
    services_of,
    title_of,
)
from escalatord.core.events import AlertSettled, Member
from escalatord.core.grouping import incident_key
from escalatord.core.gsm7 import septets
from escalatord.core.incident import Cause, NoticeKind, Reason
from escalatord.core.matchers import parse_matchers
from escalatord.core.noise import Group, may_bundle
from escalatord.core.roster import ChannelKind
from escalatord.core.rules import Verdict
from escalatord.core.telling import Handles, Telling
from escalatord.core.wording import compose
from tests.fakes.world import LEGAL, PAYMENTS, T0, WORLD, at, fired, opened, run

STORM = Group(name="storm", by=("cluster",), window_seconds=60, over=10)


def alert(**labels):
    """Return an alert with these labels."""
    return Alert(source="am", fingerprint="f", status=AlertStatus.FIRING, starts_at=T0, title="t", labels=labels)


def member(cause="", group=STORM, **labels):
    """Return what a bundle hears of an alert."""
    return Member(group=group, labels={"cluster": "eu", **labels}, cause=cause, cause_label="INC-7" if cause else "")


def storm(*members, worst=Severity.ERROR):
    """Return a bundle that holds these."""
    incident = opened(severity=worst, member=members[0], fingerprint="f0", title="host down")
    for number, each in enumerate(members[1:], start=1):
        event = fired(severity=worst, member=each, fingerprint=f"f{number}", title="host down")
        incident = run(incident, (event, at(seconds=number))).incident
    return incident


def test_a_group_wants_one_of_its_labels_and_its_match():
    """What has none of the labels is in no storm; the first group that fits counts."""
    racks = Group(name="racks", by=("dc", "rack"), window_seconds=60, over=3, match=parse_matchers('job="node"'))
    assert group_for((racks, STORM), alert(cluster="eu", rack="r1", job="node")) is racks
    assert group_for((racks, STORM), alert(cluster="eu", rack="r1")) is STORM
    assert group_for((racks, STORM), alert(rack="", job="node")) is None
    assert group_for((), alert(cluster="eu")) is None


@given(st.lists(st.floats(0, 300), max_size=40), st.integers(1, 12))
def test_the_one_after_over_is_a_storm(seconds, over):
    """It is when at least `over` began within the window; one exactly a window ago no longer counts."""
    group = replace(STORM, over=over)
    begun = [T0 - timedelta(seconds=each) for each in seconds]
    assert is_storm(group, begun, T0) is (sum(1 for each in begun if (T0 - each).total_seconds() < 60) >= over)


def test_no_alert_has_the_key_of_a_bundle():
    """A source may be called bundle, and a service like a group."""
    verdict = Verdict(severity=Severity.ERROR, cause=Cause.THRESHOLD, rule="r", service="main", group_by=("cluster",))
    own = incident_key(verdict, replace(alert(cluster="eu"), source="bundle"), "storm")
    assert key_of(STORM, alert(cluster="eu"), "main") == "bundle||storm|main|eu"
    assert own == "bundle|storm|main|eu"


def test_a_bundle_says_how_much_and_where():
    """At first which storm it is and what came; then how many of how many services."""
    assert storm(member()).title == "Storm in cluster eu, over 10 new incidents in 1m, more will join here: host down"
    many = storm(*[member(service=f"s{n % 3}") for n in range(12)])
    assert many.title == "12 new alerts in 1m in cluster eu (3 services)"
    assert (many.alerts, services_of(many.bundle)) == (12, [("s0", 4), ("s1", 4), ("s2", 4)])
    assert storm(member(), member()).title == "2 new alerts in 1m in cluster eu"


def test_a_dependency_in_trouble_is_the_likely_cause_and_stays_it():
    """It says more than any label, and is not forgotten when other services join."""
    incident = storm(member(rack="r"), member("db-main", service="checkout", rack="r"), *[member(rack="r")] * 9)
    assert (incident.bundle.cause, incident.bundle.why) == (
        "db-main",
        "checkout depends on db-main, where INC-7 is open",
    )
    assert incident.title == "11 new alerts in 1m, likely cause db-main (1 service)"


@pytest.mark.parametrize(
    ("expected", "racks"),
    [("", "rr"), ("rack=r", "rrr"), ("rack=r", "rrrrx"), ("", "rrrxx"), ("rack=r", "xrrrr"), ("", "rrrrxx")],
)
def test_a_label_that_four_in_five_share_is_the_likely_cause(expected, racks):
    """With three alerts at least; names and severities say nothing, nor do the group's own labels."""
    incident = storm(*[member(rack=rack, alertname="HostDown", severity="error") for rack in racks])
    assert incident.bundle.cause == expected
    assert bool(incident.bundle.why) is bool(expected)


def test_a_bundle_is_bounded():
    """Hostile labels and endless services neither grow it nor the text."""
    members = [member(service=f"s{n}", **{f"l{n}": "x" * 500, f"m{n}": "y"}) for n in range(150)]
    bundle = storm(*members).bundle
    assert len(bundle.services) == SERVICES_MAX
    assert len(bundle.labels) == LABELS_MAX
    assert all(len(pair) <= 64 for pair in bundle.labels)
    assert "(100+ services)" in title_of(bundle, 150, 10)
    assert place_of(storm(member(cluster="c" * 900)).bundle) == "cluster " + "c" * 64


def test_what_was_in_it_a_moment_ago_is_not_counted_twice():
    """A flapping member changes neither the count nor the services; one that changes its severity does not either."""
    incident = storm(member(service="a"), member(service="b"))
    again = run(incident, (fired(member=member(service="a"), again=True, fingerprint="f0"), at(seconds=9))).incident
    assert (again.alerts, again.bundle) == (2, incident.bundle)
    worse = fired(severity=Severity.CRITICAL, previous=Severity.ERROR, member=member(service="a"), title="x")
    grown = run(incident, (worse, at(seconds=9))).incident
    assert (grown.severity, grown.title, grown.bundle) == (Severity.CRITICAL, incident.title, incident.bundle)


def test_an_alert_without_a_group_joins_as_it_is():
    """The group left the rules while its bundle is open: what belongs to it still joins."""
    incident = run(storm(member()), (fired(fingerprint="f9"), at(seconds=5))).incident
    assert (incident.alerts, incident.bundle) == (2, storm(member()).bundle)


def test_a_bundle_ends_with_its_last_alert():
    """It is an incident like any other."""
    incident = storm(member(), member())
    outcome = run(incident, (AlertSettled(fingerprint="f0", severity=Severity.ERROR), at(1)))
    assert outcome.reason is Reason.ALERT_SETTLED
    assert run(outcome.incident, (AlertSettled(fingerprint="f1", severity=Severity.ERROR), at(1))).reason is (
        Reason.RECOVERED
    )


def test_what_may_be_bundled():
    """Compliance, confidential, and `never: [bundle]` may not."""
    assert may_bundle(PAYMENTS)
    assert not may_bundle(LEGAL)
    assert not may_bundle(replace(PAYMENTS, never=frozenset({"bundle"})))
    assert not may_bundle(replace(PAYMENTS, confidential=True))
    assert not may_bundle(replace(PAYMENTS, compliance=LEGAL.compliance))


@pytest.mark.parametrize("code", ["K8", ""])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("title", ["", "x" * 300])
def test_the_text_of_a_bundle_fits_and_says_how_to_answer(code, late, title):
    """One segment with the count, one code for all, and the link."""
    incident = storm(*[member(service=f"s{n}") for n in range(12)])
    incident = replace(incident, title=title or incident.title)
    telling = Telling(
        incident=incident,
        kind=NoticeKind.PAGE,
        now=at(2),
        track=incident.main.name,
        tier=1,
        tiers=3,
        person="ana",
        reason=Reason.NEW_ALERT_AFTER_ACK,
        late=late,
        handles=Handles(code=code, link="https://esc.example.com/a/7QF3M9TX2B4KP"),
    )
    text = compose(telling, ChannelKind.SMS).text
    assert septets(text) <= 160
    assert text.endswith("https://esc.example.com/a/7QF3M9TX2B4KP")
    assert ("Reply K8 to ack all, K8L to list" in text) is bool(code)
    assert WORLD.ruleset.people
