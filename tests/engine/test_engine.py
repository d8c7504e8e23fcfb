"""The engine's face: who asked in time is answered, also at the end."""

import asyncio
from pathlib import Path

import pytest

from escalatord.clock import SystemClock
from escalatord.engine.commands import Remark
from escalatord.engine.engine import Engine
from escalatord.engine.waiting import BATCH_COMMANDS_MAX
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from tests.fakes.paging import the_ruleset

REMARK = Remark(kind="config_loaded", body={})


@pytest.mark.asyncio
async def test_finish_answers_who_asked_before_and_refuses_who_asks_after(tmp_path: Path):
    """Several batches wait when the end comes: all are committed, the next command is refused."""
    store = Store(f"sqlite:///{tmp_path}/escalatord.db")
    store.open()
    engine = Engine(store, the_ruleset(), SystemClock(), link_key=b"k" * 32)
    await engine.start()
    commits = asyncio.create_task(engine.run_commits())
    try:
        asked = [asyncio.create_task(engine.submit(REMARK)) for _ in range(2 * BATCH_COMMANDS_MAX + 1)]
        await asyncio.sleep(0)
        await engine.finish()
        async with asyncio.timeout(5):
            assert await asyncio.gather(*asked) == [None] * len(asked)
        assert len(store.read(lambda tx: tx.journal_after(0, 10_000))) == len(asked)
        with pytest.raises(StoreUnavailableError, match="shutting down"):
            await engine.submit(REMARK)
    finally:
        commits.cancel()
        await engine.close()
        store.close()
