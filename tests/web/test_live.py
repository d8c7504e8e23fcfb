"""Server-sent events: one per commit, and an orderly end."""

import asyncio
import json

import pytest

from escalatord.web import live
from escalatord.web.live import LISTENERS
from tests.fakes.web_engine import Night


async def next_event(content) -> dict[str, object]:
    """Return the content of the next event of a stream."""
    while True:
        line = await asyncio.wait_for(content.readline(), 10)
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            return json.loads(line[6:])


@pytest.mark.asyncio
async def test_a_commit_is_told(world: Night):
    """Whoever listens hears the number of what changed, and nothing of its text."""
    answer = await world.client.get("/live")
    assert answer.content_type == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert await answer.content.readline() == b"retry: 2000\n"
    await world.incident("secret-title", service="search")
    event = await next_event(answer.content)
    assert event["incidents"] == [1]
    assert set(event) == {"incidents", "seq"}
    answer.close()


@pytest.mark.asyncio
async def test_a_reader_who_leaves_is_forgotten(world: Night):
    """The place of a closed connection is free again after the next event, and nothing is raised."""
    listeners = world.client.app[LISTENERS]
    answer = await world.client.get("/live")
    assert listeners.count == 1
    answer.close()
    for attempt in range(100):
        if not listeners.count:
            break
        await world.incident(f"alert-{attempt}", service=f"s{attempt}")
    assert listeners.count == 0


@pytest.mark.asyncio
async def test_streams_end_with_the_server(world: Night):
    """A stop ends every stream at once."""
    answer = await world.client.get("/live")
    await live.hang_up(world.client.app)
    rest = await asyncio.wait_for(answer.content.read(), 10)
    assert rest.endswith(b"\n\n")


@pytest.mark.asyncio
async def test_there_is_a_limit_of_streams(world: Night, monkeypatch):
    """Past the limit a page is told to live without, and existing ones go on."""
    monkeypatch.setattr(live, "LIVE_CONNECTIONS_MAX", 1)
    first = await world.client.get("/live")
    second = await world.client.get("/live")
    assert (first.status, second.status) == (200, 503)
    first.close()


@pytest.mark.asyncio
async def test_silence_is_filled_with_comments(world: Night, monkeypatch):
    """Proxies see a line before they give up on a quiet stream."""
    monkeypatch.setattr(live, "PING_SECONDS", 0.01)
    answer = await world.client.get("/live")
    lines = [await asyncio.wait_for(answer.content.readline(), 10) for _ in range(3)]
    assert lines[2] == b": still here\n"
    answer.close()


@pytest.mark.asyncio
async def test_head_of_a_stream_ends(world: Night):
    """HEAD gets the headers and no stream."""
    answer = await world.client.head("/live")
    assert answer.status == 200
    assert world.client.app[LISTENERS].count == 0
