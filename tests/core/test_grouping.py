"""Admission: what a message is beside what is known; and the keys of incidents."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.grouping import KEY_CHARS_MAX, LATE_COPY_SECONDS, AdmissionKind, admit, incident_key
from escalatord.core.incident import Cause
from escalatord.core.rules import EPISODE_STARTS_MAX, Verdict
from escalatord.core.units import Quantity

START = datetime(2026, 10, 24, 1, 6, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIRING = Alert(
    source="am",
    fingerprint="f1",
    status=AlertStatus.FIRING,
    starts_at=START,
    title="5xx rate",
    labels={"service": "checkout"},
    annotations={"value": "8.2"},
    values={"B": Quantity(2.4)},
)
RESOLVED = replace(FIRING, status=AlertStatus.RESOLVED, ends_at=START + 10 * MINUTE)


def opened():
    """Return the record of an open episode."""
    return admit(None, FIRING, START + MINUTE).record


def ended():
    """Return the record of that episode after its resolve."""
    return admit(opened(), RESOLVED, START + 11 * MINUTE).record


def test_first_firing_message_opens_an_episode():
    """What was never seen and fires is new, and starts to be counted."""
    admission = admit(None, FIRING, START + MINUTE)
    assert AdmissionKind.NEW is admission.kind
    record = admission.record
    assert record.alert == FIRING
    assert START + MINUTE == record.opened_at == record.last_seen_at
    assert record.starts == (START + MINUTE,)
    assert record.firing


def test_resolve_of_something_never_seen_is_nothing():
    """A resolve without an episode leaves no record."""
    admission = admit(None, RESOLVED, START)
    assert AdmissionKind.UNKNOWN_RESOLVE is admission.kind
    assert admission.record is None


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(FIRING, id="the same message"),
        pytest.param(replace(FIRING, labels=dict(FIRING.labels)), id="equal, not identical, labels"),
        pytest.param(replace(FIRING, ends_at=START + 4 * MINUTE), id="an expiry that moves with every send"),
        pytest.param(replace(FIRING, group_key="{}:{a}"), id="another group of the sender"),
        pytest.param(replace(FIRING, starts_at=START + 3 * MINUTE), id="a later start from the other peer"),
    ],
)
def test_repeat_of_an_open_episode_changes_nothing(again):
    """What repeats what is known gives back the very record, so that nothing is written."""
    record = opened()
    admission = admit(record, again, START + 5 * MINUTE)
    assert AdmissionKind.UNCHANGED is admission.kind
    assert admission.record is record


@pytest.mark.parametrize(
    "news",
    [
        {"labels": {"service": "checkout", "pod": "a"}},
        {"annotations": {"value": "9.1"}},
        {"values": {"B": Quantity(2.5)}},
        {"severity": Severity.CRITICAL},
        {"title": "another title"},
        {"summary": "a summary"},
        {"truncated": 7},
        {"links": {"graph": "https://graph.example.com"}},
        {"starts_at": START - MINUTE},
    ],
    ids=lambda news: next(iter(news)),
)
def test_news_of_an_open_episode_is_an_update(news):
    """A change of what rules or people look at is an update; the episode and its hold go on."""
    record = replace(opened(), held={"r/error": START}, incident=7, severity=Severity.ERROR, due_at=START)
    admission = admit(record, replace(FIRING, **news), START + 5 * MINUTE)
    assert AdmissionKind.UPDATED is admission.kind
    expected = replace(record, alert=replace(FIRING, **news), last_seen_at=START + 5 * MINUTE)
    assert expected == admission.record


def test_update_keeps_the_earliest_start():
    """A member of a pair that saw it later does not shorten the downtime."""
    later = replace(FIRING, starts_at=START + MINUTE, title="new")
    assert admit(opened(), later, START + 5 * MINUTE).record.alert.starts_at == START


def test_resolve_ends_the_episode_and_keeps_what_is_known():
    """A resolve with the key alone loses neither labels nor the incident, but every hold and timer."""
    record = replace(opened(), held={"r/error": START}, incident=7, due_at=START)
    bare = Alert(source="am", fingerprint="f1", status=AlertStatus.RESOLVED, starts_at=START + 9 * MINUTE, title="")
    admission = admit(record, bare, START + 9 * MINUTE)
    assert AdmissionKind.RESOLVED is admission.kind
    settled = admission.record
    assert not settled.firing
    assert FIRING.labels == settled.alert.labels
    assert settled.alert.starts_at == START
    assert settled.alert.ends_at == START + 9 * MINUTE
    assert (settled.incident, settled.held, settled.due_at) == (7, {}, None)


def test_resolve_carries_the_end_its_sender_gives():
    """The sender's end is kept, not the instant at which we heard of it."""
    assert RESOLVED.ends_at == ended().alert.ends_at


def test_second_resolve_is_nothing():
    """A resolve of what is resolved gives back the very record."""
    record = ended()
    admission = admit(record, RESOLVED, START + 12 * MINUTE)
    assert AdmissionKind.UNKNOWN_RESOLVE is admission.kind
    assert admission.record is record


@pytest.mark.parametrize("offset", [timedelta(0), -MINUTE])
def test_firing_not_later_than_the_ended_episode_is_a_late_copy(offset):
    """What arrives after the resolve but started no later than the ended episode is ignored."""
    record = ended()
    admission = admit(record, replace(FIRING, starts_at=START + offset), START + 12 * MINUTE)
    assert AdmissionKind.LATE_COPY is admission.kind
    assert admission.record is record


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [(0, AdmissionKind.LATE_COPY), (LATE_COPY_SECONDS, AdmissionKind.LATE_COPY), (121, AdmissionKind.NEW)],
)
def test_what_fires_on_with_its_old_start_is_a_late_copy_for_two_minutes_only(seconds, kind):
    """A resolve by mistake must not mute what still fires: copies come soon, a repeat after that is real."""
    record = ended()
    admission = admit(record, FIRING, record.last_seen_at + timedelta(seconds=seconds))
    assert kind is admission.kind
    assert (admission.record is record) is (kind is AdmissionKind.LATE_COPY)


def test_copies_of_the_resolve_do_not_extend_the_time_of_late_copies():
    """The two minutes count from the resolve that ended the episode, however often it is repeated."""
    record = ended()
    for minute in (1, 2):
        record = admit(record, RESOLVED, record.last_seen_at + minute * MINUTE).record
    admission = admit(record, FIRING, START + 11 * MINUTE + timedelta(seconds=121))
    assert AdmissionKind.NEW is admission.kind
    assert admission.record.alert.starts_at == START
    assert admit(admission.record, RESOLVED, START + 14 * MINUTE).kind is AdmissionKind.RESOLVED


def test_firing_later_than_the_ended_episode_opens_another():
    """The next episode begins with nothing held, no incident, and is counted."""
    record = replace(ended(), incident=7, severity=Severity.ERROR)
    again = replace(FIRING, starts_at=START + timedelta(microseconds=1))
    admission = admit(record, again, START + 20 * MINUTE)
    assert AdmissionKind.NEW is admission.kind
    fresh = admission.record
    assert (fresh.incident, fresh.severity, fresh.held, fresh.due_at) == (0, None, {}, None)
    assert fresh.starts == (START + MINUTE, START + 20 * MINUTE)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (AdmissionKind.LATE_COPY, replace(RESOLVED, ends_at=START + 10 * MINUTE)),
        (AdmissionKind.RESOLVED, replace(RESOLVED, ends_at=START + 30 * MINUTE)),
        (AdmissionKind.RESOLVED, replace(RESOLVED, ends_at=None)),
        (AdmissionKind.RESOLVED, replace(RESOLVED, starts_at=START + 20 * MINUTE, ends_at=START + 20 * MINUTE)),
    ],
    ids=["older in start and end", "a peer with an earlier start", "no end told", "zero length"],
)
def test_resolve_of_an_older_episode_does_not_end_the_present_one(kind, message):
    """A delayed copy of the last resolve leaves the new episode open; any other resolve ends it."""
    second = admit(ended(), replace(FIRING, starts_at=START + 20 * MINUTE), START + 21 * MINUTE).record
    admission = admit(second, message, START + 22 * MINUTE)
    assert kind is admission.kind
    assert (admission.record is second) is (kind is AdmissionKind.LATE_COPY)


def test_remembered_starts_are_bounded():
    """A flapping alert keeps the newest starts only."""
    record = None
    for number in range(EPISODE_STARTS_MAX + 10):
        at = START + number * MINUTE
        record = admit(record, replace(FIRING, starts_at=at), at).record
        record = admit(record, replace(RESOLVED, starts_at=at, ends_at=at), at).record
    assert len(record.starts) == EPISODE_STARTS_MAX
    assert record.starts[-1] == START + (EPISODE_STARTS_MAX + 9) * MINUTE


def test_copies_in_any_order_open_one_episode():
    """Each order of a firing message, its copy and the resolve opens one episode at most once."""
    for messages in itertools.permutations([FIRING, FIRING, RESOLVED]):
        record, kinds = None, []
        for message in messages:
            admission = admit(record, message, START + 12 * MINUTE)
            record = admission.record
            kinds.append(admission.kind)
        assert kinds.count(AdmissionKind.NEW) == 1


VERDICT = Verdict(severity=Severity.ERROR, cause=Cause.THRESHOLD, rule="r", service="checkout")


@pytest.mark.parametrize(
    ("key", "verdict", "alert"),
    [
        ("am|p|checkout|f1", VERDICT, FIRING),
        ("am|p|checkout|{}:{a}", VERDICT, replace(FIRING, group_key="{}:{a}")),
        ("am|p|checkout|eu|", replace(VERDICT, group_by=("region", "none")), replace(FIRING, labels={"region": "eu"})),
        ("am|p|checkout|f1", replace(VERDICT, group_by=("fingerprint",)), replace(FIRING, group_key="g")),
        (r"a\|b|p|a\\b|f1", replace(VERDICT, service="a\\b"), replace(FIRING, source="a|b")),
    ],
    ids=["fingerprint", "the sender's group", "labels", "each alert alone", "escaped"],
)
def test_incident_key_joins_source_policy_service_and_group(key, verdict, alert):
    """The rule's labels group first, then the sender's group, then the alert stands alone."""
    assert key == incident_key(verdict, alert, "p")


def test_incident_key_of_a_huge_label_is_bounded_and_still_distinct():
    """A label of any length gives a key that fits its column and differs when the label does."""
    keys = {incident_key(VERDICT, replace(FIRING, group_key="x" * 60_000 + end), "p") for end in ("a", "b", "\ud800")}
    assert len(keys) == 3
    assert all(len(key) <= KEY_CHARS_MAX for key in keys)


PARTS = st.text(st.sampled_from("a|\\"), max_size=4)


@given(st.lists(PARTS, min_size=4, max_size=4), st.lists(PARTS, min_size=4, max_size=4))
def test_incident_keys_are_equal_only_for_equal_parts(one, other):
    """No choice of separators inside the parts makes two incidents one."""

    def key(parts):
        source, policy, service, group = parts
        alert = replace(FIRING, source=source, labels={"g": group})
        return incident_key(replace(VERDICT, service=service, group_by=("g",)), alert, policy)

    assert (one == other) is (key(one) == key(other))
