"""A monitoring system that never gives up: unique alerts at a steady rate, each posted until it is answered 2xx."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from escalatord.clock import Clock
from tests.faults.pauses import pause

RETRY_SECONDS = 0.1
POST_SECONDS = 10.0
WAITING_MAX = 2_000
OK = range(200, 300)
UNAVAILABLE = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An alert that was answered 2xx: its incident, when it was posted first and when it was answered (monotonic)."""

    name: str
    incident: int
    posted_at: float
    answered_at: float
    tries: int


class Load:
    """Posts `per_second` alerts until told to stop. `answers` counts every HTTP status, 0 = no answer at all.

    `url` may be several, one after the other in turn, as a load balancer would.
    """

    def __init__(self, url: str | Sequence[str], per_second: float, clock: Clock, service: str = "shop") -> None:
        self.answered: list[Answered] = []
        self.answers: Counter[int] = Counter()
        self.slowest_answer_seconds = 0.0
        self._urls = [url] if isinstance(url, str) else list(url)
        self._turn = 0
        self._pause = 1 / per_second
        self._clock = clock
        self._service = service
        self.ended = asyncio.Event()
        self._stop = asyncio.Event()
        self._posted = 0
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def refused(self) -> dict[int, int]:
        """Return the answers that a sender would not repeat: anything but 2xx, 503 and silence."""
        return {code: n for code, n in self.answers.items() if code not in OK and code not in (0, UNAVAILABLE)}

    async def run(self) -> None:
        """Post until `stop`, then until the last alert is answered."""
        timeout = aiohttp.ClientTimeout(total=POST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not self._stop.is_set():
                if len(self._under_way) < WAITING_MAX:
                    self._posted += 1
                    task = asyncio.create_task(self._post(session, f"{self._service[0].upper()}{self._posted:06d}"))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
                await pause(self._stop, self._pause)
            await asyncio.gather(*self._under_way)
        self.ended.set()

    def stop(self) -> None:
        """Post nothing new."""
        self._stop.set()

    async def _post(self, session: aiohttp.ClientSession, name: str) -> None:
        began = self._clock.monotonic()
        never, tries = asyncio.Event(), 0
        while True:
            tries += 1
            asked = self._clock.monotonic()
            try:
                self._turn += 1
                address = self._urls[self._turn % len(self._urls)]
                async with session.post(address, json=body_of(name, self._service)) as answer:
                    status = answer.status
                    told = await answer.json() if status in OK else {}
            except (aiohttp.ClientError, TimeoutError, OSError):
                status, told = 0, {}
            now = self._clock.monotonic()
            self.answers[status] += 1
            if status in OK:
                self.slowest_answer_seconds = max(self.slowest_answer_seconds, now - asked)
                incident = told["accepted"][0]["incident"]
                self.answered.append(
                    Answered(name=name, incident=incident, posted_at=began, answered_at=now, tries=tries)
                )
                return
            await pause(never, RETRY_SECONDS)


def body_of(name: str, service: str) -> dict[str, object]:
    """Return an Alertmanager webhook with one alert that nobody has sent before."""
    labels = {"alertname": name, "service": service, "severity": "critical"}
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": f"{name} fires"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{hash_of(name):016x}",
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "escalatord",
        "groupLabels": {"alertname": name},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [alert],
    }


def hash_of(name: str) -> int:
    """Return a number of 64 bits that stands for a name, the same in every process."""
    return int.from_bytes(name.encode()[-8:].rjust(8, b"\0"), "big")
