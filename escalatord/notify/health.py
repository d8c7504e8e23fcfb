"""A breaker for each lane: a provider that is down is not asked again and again, and is noticed when it is back.

Pure over `now`. Closed: everything goes. After `FAILURES_TO_OPEN` lane failures in a row it opens: nothing goes, so
that the next contact method starts at once. Every `PROBE_SECONDS` one message goes through as a probe (half open); its
success closes the breaker. What a provider says about one address (bad number, no answer) proves that the lane works.
`escalatord_channel_up` is `Breaker.up`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from escalatord.errors import DeliveryReason

FAILURES_TO_OPEN = 3
PROBE_SECONDS = 30.0
LANE_FAULTS = frozenset(
    {
        DeliveryReason.SERVER_ERROR,
        DeliveryReason.TIMEOUT,
        DeliveryReason.NETWORK,
        DeliveryReason.AUTH,
        DeliveryReason.RATE_LIMITED,
        DeliveryReason.NOT_CONFIGURED,
    }
)


class BreakerState(StrEnum):
    """Whether a lane is used."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is known of one lane. `tried_at` is the last probe, or the instant of opening."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    tried_at: datetime | None = None
    reason: str = ""

    @property
    def up(self) -> bool:
        """Return whether the lane works as far as is known."""
        return self.state is BreakerState.CLOSED

    def next_try_at(self, now: datetime) -> datetime:
        """Return when a message may go: `now`, or the next probe."""
        if self.up or self.tried_at is None or now < self.tried_at:
            # A clock that was set back must not keep a lane shut until it has caught up.
            return now
        return max(now, self.tried_at + timedelta(seconds=PROBE_SECONDS))

    def admit(self, now: datetime) -> tuple["Breaker", bool]:
        """Return whether a message may go now, and the breaker after that decision (a probe counts as tried)."""
        if self.up:
            return self, True
        if self.next_try_at(now) > now:
            return self, False
        return replace(self, state=BreakerState.HALF_OPEN, tried_at=now), True

    def succeed(self) -> "Breaker":
        """Return the breaker after a message was taken: as a new one, whatever was before."""
        return Breaker()

    def fail(self, now: datetime, reason: DeliveryReason) -> "Breaker":
        """Return the breaker after a message was not taken; a fault of the address alone counts as a success."""
        if reason not in LANE_FAULTS:
            return self.succeed()
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN and self.up:
            return replace(self, failures=failures, reason=reason.value)
        tried_at = now if self.up else self.tried_at
        return replace(self, state=BreakerState.OPEN, failures=failures, tried_at=tried_at, reason=reason.value)


@dataclass(slots=True)
class Health:
    """The breakers of all lanes. It grows with the configuration only: lanes are `channel/provider`."""

    breakers: dict[str, Breaker] = field(default_factory=dict)

    def of(self, lane: str) -> Breaker:
        """Return the breaker of a lane; a new one is closed."""
        return self.breakers.get(lane, Breaker())

    def admit(self, lane: str, now: datetime) -> bool:
        """Return whether a message may go into the lane now; True may use up the probe."""
        self.breakers[lane], admitted = self.of(lane).admit(now)
        return admitted

    def succeed(self, lane: str) -> None:
        """Note that a message was taken."""
        self.breakers[lane] = self.of(lane).succeed()

    def fail(self, lane: str, now: datetime, reason: DeliveryReason) -> None:
        """Note that a message was not taken."""
        self.breakers[lane] = self.of(lane).fail(now, reason)
