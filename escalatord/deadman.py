"""The outward sign of life: an address outside is called while audits pass, and somebody there misses the calls.

- Only a passed audit leads to a call: what has stopped paging, or knows of a broken promise, falls silent.
- The address is the operator's own choice, so any may be called; redirects are not followed, nothing of the answer is
  used, and the address (mostly a secret by itself) never reaches the log.
- A call that fails is tried again after the next audit, 15 s later. Nothing here can hold up a page.
"""

import asyncio
from urllib.parse import urlsplit

import aiohttp
from structlog import get_logger

from escalatord.clock import Clock
from escalatord.metrics import Metrics
from escalatord.names import Names

EVERY_SECONDS = 60.0
CALL_SECONDS_MAX = 10.0
FAILED_FROM_STATUS = 300
EARLY_SECONDS = 1.0
"""Audits come every 15 s and a moment: one that is hardly early counts, else every fifth would have to do."""

log = get_logger(component="deadman")


class DeadMan:
    """Calls `url` at most every `every_seconds`, after audits that passed. Without an address it does nothing."""

    def __init__(self, url: str, every_seconds: float, clock: Clock, metrics: Metrics) -> None:
        self._url = url
        self._every_seconds = every_seconds
        self._clock = clock
        self._metrics = metrics
        self._passed = asyncio.Event()
        self._called_at = float("-inf")

    def passed(self) -> None:
        """Hear that an audit has passed."""
        self._passed.set()

    async def run(self) -> None:
        """Call, for ever."""
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
        headers = {"User-Agent": "escalatord", "Accept-Encoding": "identity"}
        connector = aiohttp.TCPConnector(resolver=Names(), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            while True:
                await self._passed.wait()
                self._passed.clear()
                now = self._clock.monotonic()
                if self._url and now - self._called_at >= self._every_seconds - EARLY_SECONDS:
                    why = await self._call(session)
                    if why:
                        log.warning("the sign of life was not taken", host=urlsplit(self._url).hostname, why=why)
                    else:
                        self._called_at = now
                        self._metrics.sign_of_life_at.set(self._clock.now().timestamp())

    async def _call(self, session: aiohttp.ClientSession) -> str:
        """Return why the call failed, "" when it was taken."""
        try:
            async with session.get(self._url, allow_redirects=False) as response:
                return f"status {response.status}" if response.status >= FAILED_FROM_STATUS else ""
        except TimeoutError:
            return f"no answer in {CALL_SECONDS_MAX:.0f} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return type(error).__name__  # its text can name the address
