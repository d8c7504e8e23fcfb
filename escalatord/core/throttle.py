"""How many messages one person may get by one kind of channel in which time.

Past a limit nothing waits in silence: the caller uses the next channel or bundles. The first page of an incident,
exception rules and answers to the person's own messages are the caller's to exempt.

Source of the figures: the limits GoAlert learned in production (`numbers.md` 1.2).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias

from escalatord.core.roster import ChannelKind

Limits: TypeAlias = Sequence[tuple[int, float]]

LIMITS_DEFAULT: Mapping[ChannelKind, Limits] = MappingProxyType(
    {
        ChannelKind.SMS: ((1, 60.0), (5, 900.0), (11, 3600.0), (21, 10800.0)),
        ChannelKind.CALL: ((1, 60.0), (3, 900.0), (7, 3600.0), (15, 10800.0)),
        ChannelKind.MAIL: ((1, 60.0),),
        ChannelKind.CHAT: (),
        ChannelKind.WEBHOOK: (),
    },
)
STATUS_LIMITS: Limits = ((1, 180.0), (3, 1200.0), (8, 7200.0))


def over(limits: Limits, sent: Sequence[datetime], now: datetime) -> datetime | None:
    """Return None when one more may be sent at `now`, else the first instant at which it may.

    `limits` are (count from 1, window in seconds); `sent` the instants of earlier sends in any order. A send exactly
    one window ago no longer counts; one in the future (a clock was set back) does.
    """
    recent = sorted(sent, reverse=True)
    waits = [
        recent[count - 1] + timedelta(seconds=window)
        for count, window in limits
        if len(recent) >= count and recent[count - 1] + timedelta(seconds=window) > now
    ]
    return max(waits, default=None)
