"""Waiting in real time, which only tests of real processes need."""

import asyncio


async def pause(event: asyncio.Event, seconds: float) -> None:
    """Wait for `event`, at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
