"""Figures across restarts: what cannot be stored at the end is folded again, and ends nobody."""

from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from escalatord.engine.ledger import Ledger
from escalatord.engine.seeding import Figures
from escalatord.errors import StoreUnavailableError


class Keeper:
    """An engine that keeps figures, or does not while its store is away."""

    def __init__(self):
        self.is_away = True
        self.kept: list[int] = []

    async def keep_figures(self, seq: int, _figures: Mapping[str, object]) -> None:
        """Keep them."""
        if self.is_away:
            raise StoreUnavailableError("the disk does not answer")
        self.kept.append(seq)


@pytest.mark.asyncio
async def test_a_checkpoint_that_fails_at_the_end_is_said_and_tried_again():
    """A polite stop on a disk that fails for a moment stays polite; nothing is taken for kept that is not."""
    figures, engine = Figures(Ledger()), Keeper()
    figures.seq = 7
    with capture_logs() as logs:
        await figures.keep_at_the_end(engine)  # type: ignore[arg-type] # as far as figures know it
    assert [line["event"] for line in logs] == ["the figures are not kept, the next start reads more of the journal"]
    engine.is_away = False
    await figures.keep_at_the_end(engine)  # type: ignore[arg-type] # as above
    await figures.keep_at_the_end(engine)  # type: ignore[arg-type] # as above
    assert engine.kept == [7]
