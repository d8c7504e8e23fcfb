"""How many messages one person may get."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.roster import ChannelKind
from escalatord.core.throttle import LIMITS_DEFAULT, over

NOW = datetime(2026, 10, 24, 1, 11, tzinfo=UTC)
SMS = ((1, 60.0), (5, 900.0), (11, 3600.0), (21, 10800.0))


def ago(*seconds: float) -> list[datetime]:
    """Return instants so many seconds before now."""
    return [NOW - timedelta(seconds=second) for second in seconds]


def later(seconds: float) -> datetime:
    """Return an instant so many seconds after now."""
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("expected", "sent"),
    [
        (None, []),
        (None, ago(61)),
        (None, ago(60)),
        (later(1), ago(59)),
        (later(60), ago(0)),
        (None, ago(61, 200, 300, 400)),
        (later(400), ago(61, 200, 300, 400, 500)),
        (later(400), ago(500, 61, 400, 200, 300)),
        (later(90), ago(-30)),
    ],
)
def test_over_says_when_the_next_may_go(expected: datetime | None, sent: list[datetime]) -> None:
    """One a minute, five a quarter of an hour; the answer is the first instant at which every limit has room."""
    assert expected == over(SMS, sent, NOW)


def test_every_kind_of_channel_has_limits() -> None:
    """A new kind without limits fails here."""
    assert set(ChannelKind) == set(LIMITS_DEFAULT)


def test_no_limits_means_never_over() -> None:
    """Chat is not limited."""
    assert over(LIMITS_DEFAULT[ChannelKind.CHAT], ago(*range(100)), NOW) is None


@given(st.lists(st.integers(0, 11000), max_size=40))
def test_at_the_instant_named_one_more_may_go(seconds: list[int]) -> None:
    """`over` never names an instant at which it would refuse again, and none while there is room."""
    sent = ago(*seconds)
    when = over(SMS, sent, NOW)
    if when is None:
        assert all(sum(1 for at in sent if at > NOW - timedelta(seconds=window)) < count for count, window in SMS)
    else:
        assert when > NOW
        assert over(SMS, sent, when) is None
        assert over(SMS, sent, when - timedelta(microseconds=1)) is not None
