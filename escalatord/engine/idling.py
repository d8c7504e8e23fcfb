"""Waiting for news, but not for ever."""

import asyncio

from escalatord.clock import Clock


async def idle(clock: Clock, event: asyncio.Event, seconds: float) -> None:
    """Wait for an event or until time has passed on our own clock, whichever is first."""
    woken = asyncio.ensure_future(event.wait())
    slept = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
        slept.cancel()
