"""The provider of the fault tests: the stateful Twilio fake, which also keeps when each attempt was created.

It runs in the test's process and outlives every death of the daemon. As the real one it takes its time before a text is
created and again before it says so, so that a kill finds attempts on both sides of the creation. `trouble` is what it
does with a request: hang until it is mended, refuse it, or (for a question about the past) say nothing useful.
"""

import asyncio
import re
from collections import defaultdict
from enum import StrEnum
from urllib.parse import parse_qsl

from aiohttp import web

from escalatord.clock import SystemClock
from tests.fakes.http import Seen
from tests.fakes.twilio import TwilioFake
from tests.faults.pauses import pause

REFERENCE = re.compile(r"/callbacks/twilio/(?:status|voice)/([^/]+)/")
INCIDENT = re.compile(r"i(\d+)-")
CREATED = 201
SUSPENDED = (401, 20003)
"""HTTP status and error code of an account that may send nothing: the provider's fault."""
OPTED_OUT = (400, 21610)
"""Those of a phone that said STOP: the reader's choice, the provider is well."""
THINKS_SECONDS = 0.02
ANSWERS_SECONDS = 0.06


class Trouble(StrEnum):
    """What the provider does wrong."""

    HANG = "hang"
    REFUSE = "refuse"
    FORGET = "forget"


class Provider(TwilioFake):
    """Twilio with a notebook: `created[reference]` are the instants (monotonic seconds) at which texts were made."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        super().__init__(now=self.clock.now)
        self.trouble: Trouble | None = None
        self.created: defaultdict[str, list[float]] = defaultdict(list)
        self.texts: defaultdict[str, list[str]] = defaultdict(list)
        self.reader: dict[str, str] = {}
        self.refusal = SUSPENDED
        self.refused = 0
        self.thinks_seconds = THINKS_SECONDS
        self._mended = asyncio.Event()
        self._never = asyncio.Event()

    async def behave(self, seen: Seen) -> web.StreamResponse:
        """Answer as Twilio would, or as `trouble` says."""
        asks = seen.method == "GET"
        if self.trouble is Trouble.HANG:
            self._mended.clear()
            await self._mended.wait()
        if self.trouble is Trouble.FORGET and asks:
            return web.json_response({"code": 20500, "message": "Internal error", "status": 500}, status=500)
        if self.trouble is Trouble.REFUSE:
            self.refused += 1
            status, code = self.refusal
            return web.json_response({"code": code, "message": "refused", "status": status}, status=status)
        self.requests.clear()  # thousands of them; what matters is noted
        await pause(self._never, self.thinks_seconds)
        answer = await super().behave(seen)
        if answer.status == CREATED:
            self._note(dict(parse_qsl(seen.body.decode())))
        await pause(self._never, ANSWERS_SECONDS)
        return answer

    def mend(self) -> None:
        """Be well again; what hung is answered now, to whom it still may concern."""
        self.trouble = None
        self._mended.set()

    def first_created(self, person_address: str) -> dict[int, float]:
        """Return for each incident when the first text about it to that phone was created."""
        first: dict[int, float] = {}
        for reference, instants in self.created.items():
            if self.reader[reference] == person_address:
                number = incident_of(reference)
                first[number] = min(instants[0], first.get(number, instants[0]))
        return first

    @property
    def copies(self) -> int:
        """Return how many texts were created beyond the first of their attempt."""
        return sum(len(instants) - 1 for instants in self.created.values())

    def _note(self, fields: dict[str, str]) -> None:
        found = REFERENCE.search(fields["StatusCallback"])
        assert found, "every text names its attempt in its callback address"
        reference = found[1]
        self.created[reference].append(self.clock.monotonic())
        self.texts[reference].append(fields["Body"])
        self.reader[reference] = fields["To"]


def incident_of(reference: str) -> int:
    """Return the incident number inside a reference (`i<number>-<turn>-<k>`)."""
    found = INCIDENT.match(reference)
    assert found, f"{reference} is not a reference"
    return int(found[1])
