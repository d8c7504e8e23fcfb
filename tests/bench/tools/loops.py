"""The same event loop for everything measured and measuring: uvloop where it is installed."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory, None where it is not installed."""
    with suppress(ImportError):
        factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
        return factory
    return None


def run(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine to its end."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(work)
