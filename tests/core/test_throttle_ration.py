"""What becomes of messages past a limit: together, put off, left out; and the laws that hold whatever comes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.noise import Limit, Limits
from escalatord.core.roster import ChannelKind
from escalatord.core.throttle import (
    LIMITS_DEFAULT,
    MERGE_SECONDS,
    URGENT_SECONDS,
    Past,
    Ration,
    Standing,
    Waiting,
    budget,
    limits_of,
    ration,
)

NOW = datetime(2026, 10, 24, 1, 11, tzinfo=UTC)
STRICT = (Limit(1, 60.0), Limit(5, 900.0), Limit(11, 3600.0))
DAM = (Limit(10, 60.0),)
FIRST, URGENT, QUIET, REPEAT, EXEMPT = (
    Standing.FIRST,
    Standing.URGENT,
    Standing.QUIET,
    Standing.REPEAT,
    Standing.EXEMPT,
)


def ago(*seconds, digest=False):
    """Return messages sent so many seconds ago."""
    return [Past(NOW - timedelta(seconds=each), digest) for each in seconds]


def waits(*standings, due=True):
    """Return messages that wait, called by their place."""
    return [Waiting(str(place), standing, due) for place, standing in enumerate(standings)]


def later(seconds):
    """Return an instant."""
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("expected", "waiting", "limits", "past"),
    [
        (Ration(alone=["0"]), waits(FIRST), STRICT, []),
        (Ration(alone=["0", "1"]), waits(FIRST, FIRST), (), ago(0, 0, 0)),
        (Ration(until={"0": later(40)}, crowded=True, alone=[]), waits(FIRST), STRICT, ago(20)),
        (Ration(alone=["0"], crowded=True), waits(FIRST), STRICT, ago(60, 200, 300, 400, 500)),
        (Ration(alone=[], together=["0", "1"], crowded=True), waits(FIRST, FIRST), STRICT, ago(60)),
        (Ration(alone=["0", "1"]), waits(EXEMPT, EXEMPT), STRICT, ago(1, 2)),
        (Ration(alone=["0"], until={"1": later(59)}, crowded=True), waits(EXEMPT, FIRST), STRICT, ago(1)),
        (Ration(alone=[], until={"0": later(4)}, crowded=True), waits(URGENT), STRICT, ago(1)),
        (Ration(alone=["0"], crowded=True), waits(URGENT), STRICT, ago(5)),
        (Ration(alone=[], left_out=["0"], crowded=True), waits(REPEAT), STRICT, ago(30)),
        (Ration(alone=[], until={"0": later(400)}, crowded=True), waits(QUIET), STRICT, ago(61, 200, 300, 400, 500)),
        (Ration(alone=[], together=["0", "1"], crowded=True), waits(FIRST, QUIET), STRICT, ago(61, 200, 300, 400, 500)),
        (Ration(alone=[str(n) for n in range(10)]), waits(*[FIRST] * 10), DAM, []),
        (Ration(alone=[], together=[str(n) for n in range(11)], crowded=True), waits(*[FIRST] * 11), DAM, []),
        (Ration(alone=[], until={"0": later(30)}, crowded=True), waits(FIRST), DAM, ago(30, digest=True)),
        (Ration(alone=["0"]), waits(FIRST), DAM, ago(60, digest=True)),
        (Ration(alone=["0"], until={}), waits(FIRST), (Limit(2, 900.0),), ago(30)),
        (Ration(alone=[], until={"0": later(30)}, crowded=True), waits(FIRST), (Limit(1, 900.0),), ago(30)),
    ],
)
def test_ration(expected, waiting, limits, past):
    """The table of what happens past a limit."""
    assert told(expected) == told(ration(waiting, limits, past, NOW))


def told(found):
    """Return a ration so that lists and tuples compare."""
    return list(found.alone), list(found.together), dict(found.until), list(found.left_out), found.crowded


def test_an_urgent_message_takes_along_what_waits():
    """What was put off goes with the critical one, though its own time has not come."""
    waiting = [Waiting("late", FIRST, due=False), Waiting("off", QUIET, due=False), Waiting("now", URGENT)]
    assert ration(waiting, STRICT, ago(10), NOW).together == ["late", "off", "now"]


def test_what_is_not_due_brings_nothing_about():
    """A message that was put off waits for its own time."""
    assert told(ration([Waiting("0", FIRST, due=False)], STRICT, ago(10), NOW)) == told(Ration())
    crowded = ration([Waiting("0", FIRST, due=False), Waiting("1", REPEAT)], STRICT, ago(10), NOW)
    assert told(crowded) == told(Ration(left_out=["1"], crowded=True))


def test_limits_are_those_of_the_rules_else_the_dam():
    """Each kind by itself; an empty list lets everything through."""
    given_limits = Limits(per_person={"sms": (Limit(5, 900.0), Limit(1, 60.0)), "mail": ()})
    assert limits_of(given_limits, ChannelKind.SMS) == (Limit(1, 60.0), Limit(5, 900.0))
    assert limits_of(given_limits, ChannelKind.MAIL) == ()
    assert limits_of(given_limits, ChannelKind.CALL) == LIMITS_DEFAULT[ChannelKind.CALL]


def test_a_budget_in_words():
    """How much of each limit is used."""
    assert budget("sms", STRICT, ago(30, 100), NOW) == "sms 1 of 1 in 1m, 2 of 5 in 15m, 2 of 11 in 1h"
    assert budget("chat", (), [], NOW) == ""


PLAYED_SECONDS = 400 + 3600 + 200
"""The last arrival, the longest window of any limit, and some: what is put off to the end of an hour is told then."""
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from([FIRST, FIRST, FIRST, URGENT, QUIET, REPEAT, EXEMPT])),
    min_size=1,
    max_size=60,
)


def played(arrivals, limits):
    """Return when each message was told, and all sends as (seconds, how many things, by whom), second by second."""
    waiting, heard, sends, dropped, put_off = {}, {}, [], set(), set()
    for second in range(PLAYED_SECONDS):
        now = later(second)
        for place, (at, standing) in enumerate(arrivals):
            if at == second:
                waiting[str(place)] = (standing, now)
        past = [Past(later(at), len(things) > 1) for at, things in sends if at > second - 3600]
        told_now = [
            Waiting(name, standing, due <= now, promised=name in put_off and due <= now)
            for name, (standing, due) in waiting.items()
        ]
        if not any(each.due for each in told_now):
            continue
        found = ration(told_now, limits, past, now)
        sends += [(second, [name]) for name in found.alone]
        sends += [(second, list(found.together))] if found.together else []
        for name, until in found.until.items():
            assert until > now
            waiting[name] = (waiting[name][0], until)
            put_off.add(name)
        for name in [*found.alone, *found.together, *found.left_out]:
            del waiting[name]
        heard.update(dict.fromkeys([*found.alone, *found.together], second))
        dropped |= set(found.left_out)
    assert not waiting, "something waits for ever"
    return heard, sends, dropped


@settings(max_examples=60, deadline=None)
@given(arrivals=ARRIVALS, limits=st.sampled_from([STRICT, DAM, (Limit(1, 60.0),), (Limit(3, 30.0), Limit(4, 600.0))]))
def test_nothing_waits_in_silence_and_nobody_is_flooded(arrivals, limits):
    """First pages within a minute, urgent ones within seconds, exempt ones at once; else a message a minute at most."""
    heard, sends, dropped = played(arrivals, limits)
    for place, (at, standing) in enumerate(arrivals):
        name = str(place)
        match standing:
            case Standing.EXEMPT:
                assert heard[name] == at
            case Standing.URGENT:
                assert heard[name] - at <= URGENT_SECONDS
            case Standing.FIRST:
                assert heard[name] - at <= MERGE_SECONDS
            case Standing.QUIET:
                assert name in heard
            case Standing.REPEAT:
                assert name in heard or name in dropped
    assert all(arrivals[int(name)][1] is REPEAT for name in dropped)
    calm = [at for at, things in sends if not any(arrivals[int(name)][1] in (URGENT, EXEMPT) for name in things)]
    shortest = limits[0]
    for at in calm:
        assert sum(1 for other in calm if at <= other < at + shortest.window_seconds) <= shortest.messages
