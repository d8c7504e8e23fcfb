"""Facts from a Prometheus: one number or none, whatever the other side does."""

import asyncio
import json
from urllib.parse import parse_qs

import pytest

from escalatord.config.secrets import Secret
from escalatord.core.ruleset import PrometheusSpec, Ruleset, Unmatched
from escalatord.engine.asking import Asker
from escalatord.engine.commands import Measured
from escalatord.ingest.prometheus import ANSWER_BYTES_MAX, Prometheus, number_in
from tests.fakes.http import Answer, LocalServer, Trouble

PATIENCE_SECONDS = 0.3


def vector(*values):
    """Return the body of an answer of so many samples."""
    result = [{"metric": {}, "value": [1.5, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


class Engine:
    """As much of the engine as Prometheus needs; `heard` are the answers in order."""

    def __init__(self, spec):
        self.ruleset = Ruleset(hash="", unmatched=Unmatched(severity="error", policy=""), policies={}, prometheus=spec)
        self.heard = asyncio.Queue()
        self.asker = Asker(self._tell)

    async def _tell(self, command):
        await self.heard.put(command)


async def asked(server, query="up", **more):
    """Ask one query of a server, and return what came of it."""
    url = more.pop("url", server.url)
    engine = Engine(PrometheusSpec(url=url, timeout_seconds=PATIENCE_SECONDS, **more))
    running = asyncio.ensure_future(Prometheus(engine).run())
    await asyncio.sleep(0)
    engine.asker.ask((query, query))
    found = await asyncio.wait_for(engine.heard.get(), 20)
    assert engine.heard.empty()
    running.cancel()
    await asyncio.wait((running,))
    return found


@pytest.mark.asyncio
async def test_a_query_is_posted_and_its_number_told():
    """An instant query by POST, with its time limit and the token; asked twice at once it is sent once."""
    async with LocalServer() as server:
        server.script.append(Answer(body=vector("42.5")))
        query = 'sum(up{a="b & c"})'
        assert await asked(server, query, bearer=Secret("t0ken")) == Measured(query=query, value=42.5)
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("POST", "/api/v1/query")
        assert parse_qs(seen.body.decode()) == {"query": [query], "timeout": ["0.3s"]}
        assert seen.headers["authorization"] == "Bearer t0ken"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=503, body=b"busy"),
        Answer(status=400, body=b'{"status": "error", "errorType": "bad_data", "error": "parse error"}'),
        Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        Answer(body=b""),
        Answer(body=b"[]"),
        Answer(body=b"[" * 100_000),
        Answer(body=b"\xff"),
        Answer(body=b" " * (ANSWER_BYTES_MAX + 1)),
        Answer(trouble=Trouble.HANG),
        Answer(trouble=Trouble.RESET),
        Answer(trouble=Trouble.DRIP),
        Answer(body=vector()),
    ],
    ids=[
        "503",
        "refused",
        "redirect",
        "empty",
        "a list",
        "deep",
        "no text",
        "long",
        "hangs",
        "reset",
        "drips",
        "no sample",
    ],
)
async def test_whatever_goes_wrong_the_fact_cannot_be_had(answer):
    """Nothing raises, nothing hangs longer than its time, nothing is followed."""
    async with LocalServer() as server:
        server.script += [answer, answer]
        assert await asked(server) == Measured(query="up", value=None)
        assert len(server.connections) == 1


@pytest.mark.asyncio
async def test_nobody_there_and_nobody_named():
    """A refused connection, and rules that name no Prometheus any more."""
    async with LocalServer() as server:
        assert (await asked(server, url="http://127.0.0.1:1")).value is None
    engine = Engine(None)
    assert await Prometheus(engine).measure("up") is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"resultType": "vector", "result": [{"value": [1, "3"]}]}, 3.0),
        ({"resultType": "scalar", "result": [1, "-0.5"]}, -0.5),
        ({"resultType": "vector", "result": [{"value": [1, "3"]}, {"value": [1, "4"]}]}, None),
        ({"resultType": "vector", "result": [{"value": [1, "NaN"]}]}, None),
        ({"resultType": "scalar", "result": [1, "+Inf"]}, None),
        ({"resultType": "vector", "result": [{"value": [1]}]}, None),
        ({"resultType": "vector", "result": [{"histogram": [1, {}]}]}, None),
        ({"resultType": "vector", "result": {"value": [1, "3"]}}, None),
        ({"resultType": "vector", "result": ["3"]}, None),
        ({"resultType": "scalar", "result": [1, 3]}, None),
        ({"resultType": "scalar", "result": [1, "three"]}, None),
        ({"resultType": "matrix", "result": [{"values": []}]}, None),
        ({"resultType": "string", "result": [1, "3"]}, None),
        (None, None),
    ],
)
def test_one_finite_number_counts_and_nothing_else(data, expected):
    """A vector of one sample or a scalar; several samples are a query that wants a sum."""
    assert number_in({"status": "success", "data": data}) == expected
