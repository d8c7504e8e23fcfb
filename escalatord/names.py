"""Host names to addresses, so that a resolver that is dead or hangs holds up nothing else.

- A lookup has a thread of its own, not one of a pool: forty that hang would keep whoever else needs the pool waiting.
  For one name there is one lookup at a time, so there are as many threads as names.
- The last good answer is kept. While a lookup takes long, fails or hangs it is used, for as long as the process lives.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from structlog import get_logger

FIRST_SECONDS_MAX = 3.0
"""How long a name may take of which nothing is known; then the next contact method begins."""
AGAIN_SECONDS_MAX = 1.0
"""How long to wait for a fresh answer before the one that is kept is used."""
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Key: TypeAlias = tuple[str, int, int]
Answer: TypeAlias = list[ResolveResult]

log = get_logger(component="names")


class Names(AbstractResolver):
    """A resolver for aiohttp. `ask` is what asks the system, as `socket.getaddrinfo` does; it may hang."""

    def __init__(self, ask: Callable[..., Any] = socket.getaddrinfo) -> None:
        self._ask = ask
        self._kept: dict[Key, Answer] = {}
        self._under_way: dict[Key, asyncio.Future[Answer]] = {}
        self._doubted: set[Key] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host; OSError when there are none in time and none are kept."""
        key = (host, port, int(family))
        kept, lookup = self._kept.get(key), self._under_way.get(key)
        # one that already takes long is not waited for by everybody who comes after
        seconds = FIRST_SECONDS_MAX if kept is None else AGAIN_SECONDS_MAX if key not in self._doubted else 0.0
        lookup = lookup or self._begin(key)
        await asyncio.wait((lookup,), timeout=seconds)
        failed = not lookup.done() or lookup.exception() is not None
        if not failed:
            self._doubted.discard(key)
            return lookup.result()
        if kept is None:
            raise OSError(None, "the name cannot be resolved")
        if key not in self._doubted:
            self._doubted.add(key)
            log.warning("a name cannot be resolved, the address that is known is used", host=host)
        return kept

    async def close(self) -> None:
        """Let go of nothing: a lookup that hangs ends with the process at the latest."""

    def _begin(self, key: Key) -> "asyncio.Future[Answer]":
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[Answer] = loop.create_future()
        self._under_way[key] = lookup
        told = partial(_tell, loop, partial(self._end, key, lookup))
        # not waited for at the end of the process
        threading.Thread(target=_look_up, args=(self._ask, key, told), name=f"lookup {key[0]}", daemon=True).start()
        return lookup

    def _end(self, key: Key, lookup: "asyncio.Future[Answer]", answer: Answer, error: OSError | None) -> None:
        del self._under_way[key]
        if error is None and answer:
            self._kept[key] = answer
            self._doubted.discard(key)
            lookup.set_result(answer)
        else:
            lookup.set_exception(error or OSError(None, "the name has no address"))
            lookup.exception()  # nobody may be waiting any more


def _look_up(ask: Callable[..., Any], key: Key, told: Callable[[Answer, OSError | None], None]) -> None:
    host, port, family = key
    try:
        found = ask(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
    except (OSError, UnicodeError) as error:
        told([], error if isinstance(error, OSError) else OSError(None, "the name is no name"))
        return
    told([_address(host, each) for each in found], None)


def _address(host: str, found: tuple[Any, ...]) -> ResolveResult:
    family, _, proto, _, address = found
    numeric = address[0]
    if family == socket.AF_INET6 and address[3]:  # of one link alone
        numeric = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    return ResolveResult(hostname=host, host=numeric, port=address[1], family=family, proto=proto, flags=NUMERIC)


def _tell(
    loop: asyncio.AbstractEventLoop,
    end: Callable[[Answer, OSError | None], None],
    answer: Answer,
    error: OSError | None,
) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(end, answer, error)
