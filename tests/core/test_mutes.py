"""Mutes as values: spans over clock changes, templates with labels of a cause, silences found by what they match."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.calendar import EVERY_DAY, Hours
from escalatord.core.matchers import parse_matchers
from escalatord.core.mutes import (
    FILLED_MAX,
    Inhibit,
    Maintenance,
    MuteKind,
    Silence,
    Silences,
    Span,
    SuppressedBy,
    Weekly,
    parse_mute,
)

SUNDAY = frozenset({6})
HOUR = timedelta(hours=1)


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def weekly(start: str, end: str, days: frozenset[int] = SUNDAY, zone: str = "Europe/Madrid") -> Weekly:
    """Return hours of the week."""
    return Weekly(
        hours=(Hours(days=days, start=time.fromisoformat(start), end=time.fromisoformat(end)),), timezone=zone
    )


def covering(hours: Weekly, at: datetime) -> Span | None:
    """Return the span that covers an instant."""
    return next((span for span in hours.spans(at) if span.start <= at < span.end), None)


@pytest.mark.parametrize(
    ("start", "end", "at", "expected"),
    [
        ("02:00", "04:00", "2026-10-18 01:00", ("2026-10-18 00:00", "2026-10-18 02:00")),
        # set back at 03:00 to 02:00: from the first 02:00 on, an hour longer
        ("02:00", "04:00", "2026-10-25 01:30", ("2026-10-25 00:00", "2026-10-25 03:00")),
        ("02:30", "02:45", "2026-10-25 01:10", ("2026-10-25 00:30", "2026-10-25 01:45")),
        # set forward from 02:00 to 03:00: what begins in the missing hour begins at its end, and lasts as long
        ("02:00", "04:00", "2026-03-29 01:30", ("2026-03-29 01:00", "2026-03-29 03:00")),
        ("02:00", "03:00", "2026-03-29 01:30", ("2026-03-29 01:00", "2026-03-29 02:00")),
        ("02:30", "02:45", "2026-03-29 01:10", ("2026-03-29 01:00", "2026-03-29 01:15")),
        ("01:00", "03:00", "2026-03-29 01:30", ("2026-03-29 00:00", "2026-03-29 02:00")),
        # over midnight, into Monday
        ("22:00", "06:00", "2026-10-19 03:59", ("2026-10-18 20:00", "2026-10-19 04:00")),
        ("22:00", "06:00", "2026-10-19 04:00", None),
        ("02:00", "04:00", "2026-10-19 01:00", None),
    ],
    ids=str,
)
def test_a_weekly_window_is_never_shorter_than_it_is_written(start, end, at, expected):
    """Its instants in Madrid, on plain Sundays and where the clock changes."""
    span = covering(weekly(start, end), utc(at))
    assert span == (None if expected is None else Span(*map(utc, expected)))


@given(
    st.sampled_from(
        ["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran", "Antarctica/Casey", "UTC"]
    ),
    st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    st.integers(min_value=0, max_value=15 * 365 * 24).map(lambda hours: utc("2015-01-01") + hours * HOUR),
)
def test_every_window_of_every_zone_lasts_as_long_as_it_says(zone, start, end, at):
    """Over ten days around any instant, whatever the clocks do; spans are in order and do not touch."""
    hours = Weekly(hours=(Hours(days=EVERY_DAY, start=start, end=end),), timezone=zone)
    spans = hours.spans(at)
    length = datetime.combine(at, end) - datetime.combine(at, start)
    length = length if length > timedelta() else length + timedelta(days=1)
    assert all(span.end - span.start >= length for span in spans)
    assert all(one.end < other.start for one, other in pairwise(spans))
    assert spans[0].start <= at < spans[-1].end + timedelta(days=2)


def test_windows_that_touch_are_one():
    """From Saturday on through Sunday without a seam; all of every day is one long span."""
    two = Weekly(
        hours=(
            Hours(days=frozenset({5}), start=time(22), end=time(0)),
            Hours(days=SUNDAY, start=time(0), end=time(4)),
        ),
        timezone="UTC",
    )
    assert covering(two, utc("2026-10-18 00:00")) == Span(utc("2026-10-17 22:00"), utc("2026-10-18 04:00"))
    always = weekly("00:00", "00:00", EVERY_DAY, "UTC")
    assert covering(always, utc("2026-10-18 12:00")).end - utc("2026-10-18 12:00") > timedelta(days=7)


def test_a_window_is_written_once_or_weekly():
    """One that has neither never opens; names and keys tell mutes apart."""
    once = Span(utc("2026-10-18 00:00"), utc("2026-10-18 02:00"))
    match = parse_matchers("a=b")
    window = Maintenance(number=2, match=match, once=once, why="w", by="ana")
    assert (window.spans(once.start), window.key, window.label) == ((once,), "rules/2", "maintenance")
    assert Maintenance(number=1, match=match, why="w", by="ana").spans(once.start) == ()
    every = Maintenance(number=1, match=match, every=weekly("02:00", "04:00"), why="w", by="ana")
    assert covering(every.every, utc("2026-10-18 01:00")) in every.spans(utc("2026-10-18 01:00"))
    silence = Silence(id=7, match=match, start=once.start, end=once.end, why="w", by="ana")
    assert (silence.key, silence.label, silence.spans(once.end)) == ("silence/7", "silence 7", (once,))
    inhibit = Inhibit(number=3, when="r", mute=parse_mute("a=b"), why="w", by="ana")
    assert (inhibit.key, inhibit.label, inhibit.kind) == ("rules/3", "inhibit", MuteKind.INHIBIT)
    assert inhibit.match.matches({"a": "b"})
    assert window.kind is MuteKind.MAINTENANCE


def test_what_mutes_is_told_in_a_phrase():
    """With the incident that it waits for where there is no time."""
    by = SuppressedBy(
        kind=MuteKind.SILENCE, name="silence 7", what="a=b", why="deploy", by="ana", until=utc("2026-10-18")
    )
    assert by.say == "silence 7 (deploy, by ana)"
    waits = SuppressedBy(kind=MuteKind.INHIBIT, name="inhibit", what="", why="symptom", by="bo", incident=4)
    assert waits.say == "inhibit (symptom, by bo), until INC-4 is over"


@pytest.mark.parametrize(
    ("text", "cause", "muted", "awake"),
    [
        ('region="{{ region }}"', {"region": "eu"}, {"region": "eu"}, {"region": "us"}),
        ('region="{{region}}", env=prod', {"region": "eu"}, {"region": "eu", "env": "prod"}, {"region": "eu"}),
        ('host=~"{{ rack }}-[0-9]+"', {"rack": "r.1"}, {"host": "r.1-7"}, {"host": "rx1-7"}),
        ('host!~"{{ rack }}.*"', {"rack": "a|b"}, {"host": "b"}, {"host": "a|b7"}),
        ('x="{{ a }}/{{ b }}"', {"a": "1", "b": "2"}, {"x": "1/2"}, {"x": "1/3"}),
        ('x="{{ a }}"', {"a": 'q", y="z'}, {"x": 'q", y="z'}, {"x": "q", "y": "z"}),
        ('x="{{ a }}"', {"a": "{{ b }}", "b": "no"}, {"x": "{{ b }}"}, {"x": "no"}),
        ('x=~"{{ a }}.*"', {"a": "\udc80"}, {"x": "\udc80z"}, {"x": "z"}),
        ("a=b", {}, {"a": "b"}, {"a": "c"}),
    ],
)
def test_labels_of_a_cause_are_put_in_as_text(text, cause, muted, awake):
    """Whatever a label holds, it matches itself alone, and is never an expression, a matcher or another hole."""
    match = parse_mute(text).filled(cause)
    assert match.matches(muted)
    assert not match.matches(awake)


@pytest.mark.parametrize("cause", [{}, {"region": ""}, {"zone": "eu"}])
def test_a_cause_without_the_label_gives_no_matchers(cause):
    """An empty one is none either: otherwise it would mute all that has no such label."""
    assert parse_mute('region="{{ region }}"').filled(cause) is None


def test_an_expression_that_grows_too_large_mutes_nothing():
    """A label as long as RE2 can bear is refused, not raised in the middle of a night."""
    template = parse_mute('x=~"({{ a }}){900}"')
    assert template.filled({"a": "y" * 60_000}) is None
    assert template.labels == ("a",)


def test_causes_of_a_storm_share_their_matchers():
    """More different labels than are kept still match rightly."""
    template = parse_mute('x=~"{{ a }}.*"')
    for number in range(FILLED_MAX + 2):
        assert template.filled({"a": f"n{number}-"}).matches({"x": f"n{number}-z"})


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("", "no matcher is written here"),
        ('x="{{ $labels.x }}"', "between {{ and }} stands the name of a label"),
        ('x="{{ a"', "between {{ and }} stands the name of a label"),
        ('"{{ a }}"="b"', "may stand in a value only"),
        ('x="\ue000a\ue001"', "private use"),
        ('x=~"({{ a }}"', "is not an RE2 expression"),
        ('x="{{ a }}', "never closed"),
    ],
)
def test_what_cannot_be_filled_is_refused(text, say):
    """With a sentence, when the rules are read."""
    with pytest.raises(ValueError, match=say.replace("{", r"\{")):
        parse_mute(text)


def test_silences_are_found_by_what_they_match():
    """Also by a trait of the service; none is an empty collection."""
    now = utc("2026-10-18")
    made = [
        Silence(id=number, match=parse_matchers(text), start=now, end=now + HOUR, why="w", by="ana")
        for number, text in enumerate(("a=b", "segment=retail", 'a!="b", c=d'), start=1)
    ]
    found = Silences(made)
    traits = {"segment": ("retail", "enterprise")}
    assert [one.id for one in found.matching({"a": "b"}, {})] == [1]
    assert [one.id for one in found.matching({"c": "d"}, traits)] == [2, 3]
    assert [one.id for one in found.matching({"a": "b", "c": "d"}, {})] == [1]
    assert (bool(found), bool(Silences())) == (True, False)
