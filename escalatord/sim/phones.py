"""The simulated provider of a world: it remembers every message in order, and which of them somebody expected."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from escalatord.clock import Clock
from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.ruleset import Ruleset
from escalatord.notify.channel import Message, Receipt
from escalatord.notify.simulated import ROOM, OnReceipt, SimMessage, Switchboard

SAME_INSTANT_SECONDS = 0.001
EDITS = frozenset({NoticeKind.UPDATE.value})
"""Kinds of messages to a room that edit what stands there and wake nobody: they need not be expected."""

Listener: TypeAlias = Callable[[SimMessage], None]


class Phones(Switchboard):
    """A switchboard that tells `heard` of every message it took. Ages count from `began`."""

    def __init__(self, *, clock: Clock, on_receipt: OnReceipt, heard: Listener) -> None:
        super().__init__(clock=clock, on_receipt=on_receipt)
        self.sent: list[SimMessage] = []
        self._began: datetime = clock.now()
        self._heard = heard
        self._expected: set[str] = set()

    async def take(self, spec: ChannelSpec, message: Message) -> Receipt:
        """Take a message, or fail as told."""
        receipt = await super().take(spec, message)
        taken = self.find(message.reference)
        if taken is not None:
            self.sent.append(taken)
            self._heard(taken)
        return receipt

    def expect(
        self, channel: ChannelKind, person: str, contains: str = "", *, after: float | None = None, kind: str = ""
    ) -> SimMessage:
        """Return the first message not expected before that fits, as it is by now, and count it as expected.

        `after` is when it was sent, in seconds of the world. AssertionError when there is none.
        """
        for message in self.unexpected():
            if (message.channel, message.person) != (channel, person) or (kind and message.kind != kind):
                continue
            if contains.casefold() not in f"{message.title}\n{message.text}".casefold():
                continue
            if after is not None and abs(self.age_of(message) - after) > SAME_INSTANT_SECONDS:
                continue
            self._expected.add(message.provider_id)
            return self.find(message.reference) or message
        when = "" if after is None else f" at {after:g} s"
        raise AssertionError(f"no {channel} to {person}{when} with {contains!r} among:\n{self.shown()}")

    def expect_nothing(self) -> None:
        """Fail when there are messages that nobody expected."""
        if self.unexpected():
            raise AssertionError(f"nobody expected:\n{self.shown()}")

    def unexpected(self) -> list[SimMessage]:
        """Return the messages that nobody expected yet, oldest first; edits of what stands in a room left out."""
        return [
            message
            for message in self.sent
            if message.provider_id not in self._expected and not (message.person == ROOM and message.kind in EDITS)
        ]

    def forget(self) -> None:
        """Count everything sent so far as expected: the story is about what comes next."""
        self._expected.update(message.provider_id for message in self.sent)

    def age_of(self, message: SimMessage) -> float:
        """Return when a message was sent, in seconds of the world."""
        return (message.at - self._began).total_seconds()

    def shown(self) -> str:
        """Return the messages that nobody expected, one a line, for the reader of a failure."""
        lines = (
            f"{self.age_of(each):9.3f} s  {each.channel:5} {each.person:6} {each.kind:12} {each.text!r}"
            for each in self.unexpected()
        )
        return "\n".join(lines) or "(nothing)"


def addresses_of(ruleset: Ruleset, kind: ChannelKind) -> dict[str, str]:
    """Return by person the first address of everybody who has one in a channel of this kind."""
    keys = [spec.address_key for spec in ruleset.channels.values() if spec.kind is kind and spec.address_key]
    found: dict[str, str] = {}
    for person in ruleset.people.values():
        for address in (person.addresses.get(key) for key in keys):
            if address:
                found.setdefault(person.id, address)
    return found
