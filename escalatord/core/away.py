"""Who is not available: on holiday, at the dentist, asked not to be disturbed.

It matters only to targets that say `& available`: without it somebody who is away is paged like everybody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Somebody is away from `start` (included) to `end` (excluded), both instants in UTC.

    `by` made it at run time ("" = it stands in the rules).
    """

    person: str
    start: datetime
    end: datetime
    why: str = ""
    by: str = field(default="", compare=False)


def away_at(person: str, spans: Iterable[Away], at: datetime) -> Away | None:
    """Return why a person is away at the instant `at`: of several spans the one that ends last; None when they are not.

    `spans` may be about other people too.
    """
    found = [span for span in spans if span.person == person and span.start <= at < span.end]
    return max(found, key=lambda span: span.end, default=None)
