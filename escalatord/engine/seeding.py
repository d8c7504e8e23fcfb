"""Figures that continue across restarts: the ledger is folded from the last checkpoint on, then kept up to date."""

from collections.abc import Iterable

from structlog import get_logger

from escalatord.engine.engine import Engine
from escalatord.engine.ledger import Ledger
from escalatord.engine.written import Written
from escalatord.errors import StoreUnavailableError
from escalatord.store.rows import JournalEntry

ROWS_AT_ONCE = 5_000
CHECKPOINT_EVERY_ROWS = 5_000

log = get_logger(component="figures")


class Figures:
    """The ledger and how far into the journal it reaches."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seq = 0
        self.caught_up = False
        """Whether they hold all that is in the journal; before that counters would seem to fall."""
        self._follows = False
        self._kept = 0

    async def seed(self, engine: Engine) -> None:
        """Fold everything that is in the journal; nothing may be committed meanwhile.

        Where other nodes commit too, only the checkpoint is taken here: `peers` reads on from it.
        """
        checkpoint = await engine.read(lambda tx: tx.checkpoint())
        if checkpoint is not None:
            self.seq = self._kept = checkpoint[0]
            self.ledger.restore(checkpoint[1])
        self._follows = engine.shared
        while not self._follows:
            rows = await engine.read(lambda tx: tx.journal_after(self.seq, ROWS_AT_ONCE))
            for row in rows:
                self.ledger.apply(row)
            if not rows:
                self.caught_up = True
                break
            self.seq = rows[-1].seq

    def written(self, written: Written) -> None:
        """Fold what was just committed, unless it is read from the journal like everybody's."""
        if self._follows:
            return
        for entry in written.entries:
            self.ledger.add(entry)
        for entries, times in written.alike:
            for entry in entries:
                self.ledger.add(entry, times)
        self.seq = max(self.seq, written.seq)

    def fold(self, entries: Iterable[JournalEntry], seq: int) -> None:
        """Fold what was read from the journal, which is complete up to number `seq`."""
        for entry in entries:
            self.ledger.add(entry)
        self.seq = seq

    async def keep(self, engine: Engine, *, anyway: bool = False) -> None:
        """Store a checkpoint when enough has been folded since the last one (or `anyway`)."""
        if self.seq - self._kept >= CHECKPOINT_EVERY_ROWS or (anyway and self.seq > self._kept):
            seq = self.seq
            await engine.keep_figures(seq, self.ledger.snapshot())
            self._kept = seq

    async def keep_at_the_end(self, engine: Engine) -> None:
        """Store a checkpoint if that can be done; else the next start folds what it would have spared."""
        try:
            await self.keep(engine, anyway=True)
        except StoreUnavailableError as error:
            log.warning("the figures are not kept, the next start reads more of the journal", error=str(error))
