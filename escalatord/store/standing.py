"""What a transaction knows from its first statement."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a transaction stands.

    `now` is the instant of a database that several nodes share, None where the caller's own clock counts; `world` grows
    with every change of overrides and unreachable addresses; `chain` is where the journal of this process itself goes
    (0, or a number below that no other process has). `stands_in` says that this is the stand-in for a database that is
    away, where nothing may be opened; without `gives_codes` it cannot know which reply codes are free.
    """

    now: datetime | None = None
    world: int = 0
    chain: int = 0
    stands_in: bool = False
    gives_codes: bool = True


ALONE = Standing()
"""Where a process stands that has its database for itself."""
