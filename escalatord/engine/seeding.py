"""Figures that continue across restarts: the ledger is folded from the last checkpoint on, then kept up to date."""

from escalatord.engine.engine import Engine
from escalatord.engine.ledger import Ledger
from escalatord.engine.written import Written

ROWS_AT_ONCE = 5_000
CHECKPOINT_EVERY_ROWS = 5_000


class Figures:
    """The ledger and how far into the journal it reaches."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seq = 0
        self._kept = 0

    async def seed(self, engine: Engine) -> None:
        """Fold everything that is in the journal; nothing may be committed meanwhile."""
        checkpoint = await engine.read(lambda tx: tx.checkpoint())
        if checkpoint is not None:
            self.seq = self._kept = checkpoint[0]
            self.ledger.restore(checkpoint[1])
        while True:
            rows = await engine.read(lambda tx: tx.journal_after(self.seq, ROWS_AT_ONCE))
            for row in rows:
                self.ledger.apply(row)
            if not rows:
                break
            self.seq = rows[-1].seq

    def written(self, written: Written) -> None:
        """Fold what was just committed."""
        for entry in written.entries:
            self.ledger.add(entry)
        self.seq = max(self.seq, written.seq)

    async def keep(self, engine: Engine, *, anyway: bool = False) -> None:
        """Store a checkpoint when enough has been folded since the last one (or `anyway`)."""
        if self.seq - self._kept >= CHECKPOINT_EVERY_ROWS or (anyway and self.seq > self._kept):
            self._kept = self.seq
            await engine.keep_figures(self.seq, self.ledger.snapshot())
