"""What a message has to tell, looked up in the world."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from escalatord.core.incident import Cause, NoticeKind, Reason, State, TrackState
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import World
from escalatord.core.telling import (
    Handles,
    at_clock,
    exactly,
    headline,
    in_hours,
    join_names,
    open_seconds,
    paged_before,
    pages_again_at,
    roughly,
    roughly_hours,
    short_name,
    subject,
    tell,
    time_left_seconds,
    track_of,
    what_became,
    what_next,
    why_you,
)
from escalatord.core.wording import compose
from tests.fakes.paging import (
    NAMES,
    OPENED,
    a_track,
    a_world,
    acked,
    an_incident,
    at_last_resort,
    later,
    resolved,
    telling,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A notice as the outbox has it."""

    kind: NoticeKind = NoticeKind.PAGE
    track: str = "technical"
    tier: int = 1
    person: str = "ana"
    reason: Reason = Reason.OPENED
    actor: str = ""
    late: bool = False


def test_tell_looks_everything_up() -> None:
    """Who follows, in how many tiers, in which zone, under which names."""
    told = tell(Row(), an_incident(), a_world(), later(0.4), Handles(code="K7"))
    assert (
        told.tiers,
        told.zone,
        told.handles.code,
        told.hold_seconds,
        told.confidential,
    ) == (3, "Europe/Madrid", "K7", 3600.0, False)
    assert (later(300), ("bo",)) == (told.next_at, told.next_people)
    assert told.names == {"ana": "Ana Ruiz", "bo": "Bo Li"}


def test_tell_knows_a_statutory_clock_and_a_confidential_policy() -> None:
    """A compliance track is confidential though its incident is not, and its clock counts from the opening."""
    incident = an_incident(a_track(name="compliance", policy="feed"))
    told = tell(Row(track="compliance"), incident, a_world(), later(1))
    assert (True, "gdpr", later(72 * 3600)) == (told.confidential, told.regime, told.due_at)


def test_tell_never_fails_for_want_of_a_detail() -> None:
    """A person, a policy, a track that is gone leaves its facts out, and the message still goes."""
    empty = World(ruleset=replace(a_world().ruleset, people={}), policies={})
    told = tell(Row(track="gone", person="nobody"), an_incident(a_track(2)), empty, later(1))
    assert (told.track, told.zone, told.tiers, told.next_at) == ("technical", "UTC", 2, None)
    assert compose(told, ChannelKind.SMS).text


def test_tell_counts_the_tiers_of_a_second_policys_track_of_the_same_name() -> None:
    """Such a track is called `policy:name`."""
    incident = an_incident(a_track(name="payments:technical"))
    assert tell(Row(track="payments:technical"), incident, a_world(), later(1)).tiers == 3


def test_tell_foresees_nothing_for_what_is_over() -> None:
    """A closed incident has no next step."""
    told = tell(Row(kind=NoticeKind.STAND_DOWN), resolved(), a_world(), later(500))
    assert (told.next_at, told.next_people) == (None, ())
    assert what_next(told) == ""


@pytest.mark.parametrize(
    ("expected", "people"),
    [("", ()), ("Ana", ("ana",)), ("Ana and Bo", ("ana", "bo")), ("Ana and 2 others", ("ana", "bo", "cy"))],
)
def test_names_are_joined_as_one_says_them(expected: str, people: tuple[str, ...]) -> None:
    """One, two, or one and how many others."""
    assert expected == join_names(NAMES, people)


@pytest.mark.parametrize(
    ("expected", "person"),
    [("Ana", "ana"), ("somebody", ""), ("gone", "gone"), ("x" * 20, "x" * 50)],
)
def test_a_short_name_is_a_first_name(expected: str, person: str) -> None:
    """Somebody who is no longer in the roster is called by their id."""
    assert expected == short_name(NAMES, person)


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [
        ("0s", -3),
        ("40s", 40.4),
        ("5m", 299.6),
        ("4m45s", 287),
        ("1m", 60),
        ("10m", 600.4),
        ("1h30m", 5400.4),
        ("20m", 1195),
    ],
)
def test_durations_are_rounded_for_tired_readers(expected: str, seconds: float) -> None:
    """Whole minutes from ten minutes on, quarters of one below."""
    assert expected == roughly(seconds)


@pytest.mark.parametrize(
    ("expected", "seconds"), [("72h", 72 * 3600), ("30d", 720 * 3600), ("101h", 101 * 3600), ("0h", -5)]
)
def test_statutory_periods_keep_the_laws_unit(expected: str, seconds: float) -> None:
    """72 hours are not three days."""
    assert expected == in_hours(seconds)


def test_the_last_hour_of_a_period_is_told_in_minutes() -> None:
    """Nobody is told that 0 hours are left; an ack is dated to the second."""
    assert (roughly_hours(1800), roughly_hours(7200), exactly(86.6)) == ("30m", "2h", "1m27s")


def test_an_unknown_zone_is_read_as_utc() -> None:
    """A typo in a person's zone never stops a page."""
    assert (at_clock(OPENED, "Mars/Olympus"), at_clock(OPENED, "Europe/Madrid")) == ("01:11", "03:11")


def test_what_is_broken_has_always_a_name() -> None:
    """The service, else the source, else the incident."""
    nameless = an_incident(service="", source="")
    assert [
        subject(an_incident()),
        subject(an_incident(service="")),
        subject(nameless),
    ] == ["checkout", "am", "INC-142"]
    assert headline(an_incident(title=" \n. ")) == "no title"


def test_those_paged_before_are_those_who_are_not_paged_now() -> None:
    """The reader, those paged beside them, and rooms do not count."""
    track = a_track(3)
    assert paged_before(track, "cy") == ("ana", "bo")
    assert paged_before(replace(track, told=(("", "chat"), *track.told, ("bo", "call"))), "ana") == ("bo",)


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("The ack ran out", Reason.ACK_EXPIRED),
        ("The snooze is over", Reason.SNOOZE_ENDED),
        ("A new alert joined", Reason.NEW_ALERT_AFTER_ACK),
        ("Ana could not be reached", Reason.NOT_REACHED),
        ("Ana did not ack in 5m", Reason.FALLBACK),
    ],
)
def test_why_you_names_the_reason(expected: str, reason: Reason) -> None:
    """Nobody is paged without a reason they can read."""
    told = telling(an_incident(a_track(2)), person="bo", reason=reason, now=later(300))
    assert expected == why_you(told)


def test_the_first_in_line_needs_no_reason() -> None:
    """Nobody was there before them."""
    assert why_you(telling()) == ""


def test_what_became_says_who_is_paged() -> None:
    """Two people, nobody, the last resort."""
    both = replace(a_track(), pages=(*a_track().pages, *a_track(2).pages))
    assert what_became(telling(an_incident(both))) == "Ana and Bo are being paged (tier 1/3)."
    assert what_became(telling(an_incident(replace(a_track(), pages=())))) == "Nobody is being paged (tier 1/3)."
    assert what_became(telling(an_incident(), tiers=0)) == "Ana is being paged (tier 1/1)."
    assert what_became(telling(at_last_resort())) == "No tier acked. Last resort: Cleo."


def test_what_became_of_a_track_that_ended_while_another_goes_on() -> None:
    """A recovered technical track is over though compliance keeps the incident open."""
    ended = an_incident(replace(a_track(), state=TrackState.ENDED), state=State.OPEN, recovered_at=later(480))
    assert what_became(telling(ended, now=later(900))) == "Recovered 03:19 CEST, open for 8m."
    undated = replace(ended, recovered_at=None)
    assert what_became(telling(undated, now=later(900))) == "Recovered 03:26 CEST, open for 15m."


def test_what_next_without_people_says_only_when() -> None:
    """A step that pages nobody by name is still announced."""
    assert what_next(telling(next_people=())) == "Next step at 03:16 CEST."
    assert what_next(telling(next_at=None)) == ""


@pytest.mark.parametrize(
    ("expected", "at"), [(300.0, OPENED), (60.0, later(240)), (0.0, later(300)), (0.0, later(900))]
)
def test_time_left_is_never_negative(expected: float, at: datetime) -> None:
    """What is overdue has no time left."""
    assert expected == time_left_seconds(telling(now=at))


def test_nothing_waits_on_a_held_track() -> None:
    """An ack clears the window; the hold has its own end."""
    assert time_left_seconds(telling(acked())) == 0
    assert pages_again_at(acked(), "technical") == later(44) + timedelta(hours=1)
    assert pages_again_at(an_incident(), "technical") is None


def test_open_seconds_ends_with_the_incident() -> None:
    """How long it was open does not grow afterwards."""
    assert (open_seconds(resolved(), later(5000)), open_seconds(an_incident(), later(60))) == (480.0, 60.0)


def test_a_track_that_is_gone_is_the_first_one() -> None:
    """A message about an unknown track speaks for the incident."""
    assert track_of(telling(track="gone")).name == "technical"


def test_what_a_human_raised_goes_by_its_own_name():
    """Nobody is told that "human" is broken: without a service the incident's label stands there."""
    raised = an_incident(cause=Cause.RAISED, service="", source="human", number=7)
    assert subject(raised) == "INC-7"
    assert subject(replace(raised, service="checkout")) == "checkout"
