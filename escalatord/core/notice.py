"""What an effect and an outbox row have in common: they tell somebody something."""

from typing import Protocol

from escalatord.core.incident import NoticeKind, Reason


class Notice(Protocol):
    """The fields that an effect `Notify` and an outbox row share: what to tell whom."""

    @property
    def kind(self) -> NoticeKind:
        """Return what it says."""
        ...

    @property
    def track(self) -> str:
        """Return the track it is about."""
        ...

    @property
    def tier(self) -> int:
        """Return the tier of that track, from 1."""
        ...

    @property
    def person(self) -> str:
        """Return whom it is for, "" = a room."""
        ...

    @property
    def reason(self) -> Reason:
        """Return why it is sent."""
        ...

    @property
    def actor(self) -> str:
        """Return who brought it about."""
        ...

    @property
    def late(self) -> bool:
        """Return whether it is later than it should be."""
        ...
