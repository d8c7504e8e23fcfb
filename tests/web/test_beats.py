"""`POST /in/{source}/beat`: who may say that a source lives, and what they are told."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from escalatord.core.alert import Severity
from escalatord.core.matchers import parse_matchers
from escalatord.core.rules import Absent, Level, ThresholdRule, heartbeat_rule
from escalatord.engine.commands import Beat
from escalatord.errors import StoreUnavailableError
from escalatord.limits import BODY_BYTES_MAX
from tests.fakes.web_engine import Night, night


def missing(source: str) -> ThresholdRule:
    """Return the rule that a heartbeat is."""
    name = heartbeat_rule(source)
    return ThresholdRule(
        name=name,
        match=parse_matchers(f'alertname="{name}"'),
        levels=(Level(severity=Severity.CRITICAL),),
        absent=Absent(match=parse_matchers('alertname="Watchdog"'), for_seconds=360, source=source, heartbeat=True),
    )


@asynccontextmanager
async def _beating(folder: Path) -> AsyncIterator[Night]:
    """Run a world in which two sources have a heartbeat: one open to this machine, one with a secret."""
    async with night(folder) as world:
        rules = world.engine.ruleset
        heartbeats = tuple(map(missing, ("alertmanager", "guarded")))
        world.engine.rules = replace(rules, thresholds=(*rules.thresholds, *heartbeats))
        yield world


@pytest.mark.asyncio
async def test_a_beat_is_accepted_once_it_is_committed(tmp_path):
    """202, and one command; the body is whatever it is."""
    async with _beating(tmp_path) as world:
        for body in (b"", b"{", b"\x00\xff", b"<script>alert(1)</script>", b"[" * 100_000):
            answer = await world.client.post("/in/alertmanager/beat", data=body)
            assert (answer.status, await answer.json()) == (202, {"result": "accepted"})
        assert world.engine.commands == [Beat(source="alertmanager")] * 5
        assert world.ingested == [("alertmanager", "accepted")] * 5


@pytest.mark.asyncio
async def test_a_body_of_any_size_costs_nothing(tmp_path):
    """What is not looked at is not read either."""
    async with _beating(tmp_path) as world:
        answer = await world.client.post("/in/alertmanager/beat", data=io.BytesIO(b" " * (BODY_BYTES_MAX + 1)))
        assert answer.status == 202


@pytest.mark.parametrize(
    ("source", "headers", "status"),
    [
        ("alertmanager", {}, 202),
        ("alertmanager", {"Origin": "https://evil.example"}, 403),
        ("alertmanager", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("guarded", {"Authorization": "Bearer new-secret"}, 202),
        ("guarded", {"Authorization": "Bearer wrong"}, 401),
        ("guarded", {}, 401),
        ("batch", {}, 404),
        ("nagios", {}, 404),
    ],
)
@pytest.mark.asyncio
async def test_a_beat_needs_what_its_source_needs(tmp_path, source, headers, status):
    """The same credentials as alerts; 404 says how to arm a heartbeat; nothing refused is committed."""
    async with _beating(tmp_path) as world:
        answer = await world.client.post(f"/in/{source}/beat", headers=headers)
        assert answer.status == status
        assert world.engine.commands == ([Beat(source=source)] if status == 202 else [])
        if source == "batch":
            assert "heartbeat: {every: 5m}" in (await answer.json())["fix"]


@pytest.mark.asyncio
async def test_looking_is_no_beat(tmp_path):
    """GET and HEAD change nothing."""
    async with _beating(tmp_path) as world:
        assert (await world.client.get("/in/alertmanager/beat")).status == 405
        assert (await world.client.head("/in/alertmanager/beat")).status == 405
        assert world.engine.commands == []


@pytest.mark.asyncio
async def test_a_beat_that_cannot_be_committed_is_told_to_come_again(tmp_path):
    """503 with Retry-After, so that a sender tries again."""
    async with _beating(tmp_path) as world:
        world.engine.error = StoreUnavailableError("the disk is full")
        answer = await world.client.post("/in/alertmanager/beat")
        assert answer.status == 503
        assert "Retry-After" in answer.headers
