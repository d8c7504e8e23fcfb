"""A lane: one channel by one provider, with room for so many attempts at once: one that hangs slows no other."""

import asyncio
from dataclasses import dataclass, field

from escalatord.core.roster import ChannelSpec
from escalatord.notify.channel import Channel

LANE_SPARE_SECONDS = 20.0


@dataclass(slots=True)
class Lane:
    """What is under way in one lane. `name` is `channel/provider`."""

    name: str
    spec: ChannelSpec
    channel: Channel
    busy: int = 0
    began_at: dict[str, float] = field(default_factory=dict)
    """When each attempt under way began, on the clock that never jumps, by reference."""
    starved: bool = False
    """The last claim filled all its room: more may wait."""
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def room(self) -> int:
        """Return how many more attempts may be begun."""
        return max(0, self.channel.capabilities.concurrency - self.busy)

    @property
    def patience_seconds(self) -> float:
        """Return longer than any attempt: two questions, two last looks, and the call."""
        return self.channel.capabilities.timeout_seconds + LANE_SPARE_SECONDS

    def takes_more(self) -> bool:
        """Return whether an attempt may be begun now; if not, the end of one that is under way brings another look."""
        self.starved = self.starved or self.room == 0
        return self.room > 0
