"""Facts from a Prometheus, or whatever speaks its HTTP API: an instant query comes to one number, or to none.

One number is a scalar, or a vector of one sample. No sample, several, NaN, an infinite one, an error, or no answer in
time: the fact cannot be had. The first failure after a success is logged, and the first success after a failure;
neither names the query, which holds labels of alerts.

Source of the format: Prometheus' documentation, "HTTP API", instant queries.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
from structlog import get_logger

from escalatord.config.secrets import Secret
from escalatord.core.ruleset import PrometheusSpec, Ruleset
from escalatord.engine.asking import Asker
from escalatord.names import Names

ANSWER_BYTES_MAX = 256 * 1024
CONNECTIONS_MAX = 8

logger = get_logger(component="prometheus")


class Port(Protocol):
    """What is needed of the engine: the rules in force say whom to ask, the asker what."""

    asker: Asker

    @property
    def ruleset(self) -> Ruleset:
        """Return the rules in force."""


class Prometheus:
    """Asks what the engine's alerts wait for, at the address that the rules in force name."""

    def __init__(self, engine: Port) -> None:
        self._engine = engine
        self._session: aiohttp.ClientSession | None = None
        self._failing = False

    async def run(self) -> None:
        """Answer the engine's queries, for ever."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX, resolver=Names(), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            self._session = session
            self._engine.asker.measurer = self
            await self._engine.asker.run()

    async def measure(self, query: str) -> float | None:
        """Return what a query comes to now, None when that is no single finite number or was not had in time."""
        spec = self._engine.ruleset.prometheus
        if spec is None or self._session is None:
            return None
        try:
            answer = await self._ask(self._session, spec, query)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # an exception's own words can hold the address with a password in it
            self._note(type(error).__name__)
            return None
        if answer.get("status") != "success":
            self._note(str(answer.get("errorType"))[:40])
            return None
        self._note("")
        return number_in(answer)

    async def _ask(self, session: aiohttp.ClientSession, spec: PrometheusSpec, query: str) -> Mapping[str, Any]:
        """Return the answer; raise ValueError when it is none, and what aiohttp raises."""
        headers = {"Accept": "application/json"}
        if isinstance(spec.bearer, Secret):
            headers["Authorization"] = f"Bearer {spec.bearer.reveal()}"
        async with session.post(
            f"{spec.url}/api/v1/query",
            data={"query": query, "timeout": f"{spec.timeout_seconds:g}s"},
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=spec.timeout_seconds),
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(16 * 1024):
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise ValueError("a longer answer than one number takes")
        try:
            answer = json.loads(body)
        except RecursionError:
            raise ValueError("nested without end") from None
        if not isinstance(answer, dict):
            raise ValueError(f"status {response.status} without an answer")  # noqa: TRY004 - no mistake in a type of ours
        return answer

    def _note(self, trouble: str) -> None:
        if bool(trouble) is not self._failing:
            self._failing = bool(trouble)
            if trouble:
                logger.warning("queries fail, their facts are missing", reason=trouble)
            else:
                logger.info("queries are answered again")


def number_in(answer: Mapping[str, Any]) -> float | None:
    """Return the one finite number that an answer holds, None when there is none."""
    data = answer.get("data")
    if not isinstance(data, dict):
        return None
    found = data.get("result")
    if data.get("resultType") == "vector":
        single = isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict)
        found = found[0].get("value") if isinstance(found, list) and single else None
    elif data.get("resultType") != "scalar":
        return None
    try:
        value = float(found[1]) if isinstance(found, list) and isinstance(found[1], str) else math.nan
    except (IndexError, ValueError):
        return None
    return value if math.isfinite(value) else None
