"""What a transaction knows from its first statement."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a transaction stands.

    `now` is the instant of a database that several nodes share, None where the caller's own clock counts; `world` grows
    with every change of overrides and unreachable addresses; `chain` is where the journal of this process itself goes
    (0, or a number below that no other process has).
    """

    now: datetime | None = None
    world: int = 0
    chain: int = 0


ALONE = Standing()
"""Where a process stands that has its database for itself."""
