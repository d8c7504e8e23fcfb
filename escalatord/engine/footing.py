"""What the engine stands on: the database, or while that is away, the stand-in for it.

Whoever decides and whoever sends asks here and need not know which of the two it is. What belongs to the database
alone (leases, figures, what people change at run time) is refused while it is away, as it always was.
"""

from collections.abc import Callable
from typing import TypeVar

from escalatord.errors import StoreUnavailableError
from escalatord.store.standin import StandIn
from escalatord.store.store import Store
from escalatord.store.tx import Tx

T = TypeVar("T")

AWAY = "the database is away; pages go on from memory"


class Footing:
    """A store and perhaps its stand-in. Calls as of `Store`; only the writer thread changes `stand_in`."""

    def __init__(self, store: Store) -> None:
        self.kept = store
        self.stand_in: StandIn | None = None

    @property
    def is_away(self) -> bool:
        """Return whether pages go on from memory."""
        return self.stand_in is not None

    @property
    def shared(self) -> bool:
        """Return whether other nodes may use the database."""
        return self.kept.shared

    @property
    def short_of_room(self) -> bool:
        """Return whether what room is left is for acks and timers."""
        return self.kept.short_of_room

    @property
    def chain(self) -> int:
        """Return where the journal of this process itself goes."""
        return self.kept.chain

    @chain.setter
    def chain(self, chain: int) -> None:
        self.kept.chain = chain

    def write(self, work: Callable[[Tx], T], *, alone: bool = False) -> T:
        """Run a transaction where the engine stands now."""
        return (self.stand_in or self.kept).write(work, alone=alone)

    def read(self, work: Callable[[Tx], T]) -> T:
        """Read where the engine stands now."""
        return (self.stand_in or self.kept).read(work)

    def settle(self, work: Callable[[Tx], T]) -> T:
        """Write to the database itself; StoreUnavailableError while it is away."""
        self.need_kept()
        return self.kept.settle(work)

    def need_kept(self) -> None:
        """Raise StoreUnavailableError while the database is away."""
        if self.is_away:
            raise StoreUnavailableError(AWAY)
