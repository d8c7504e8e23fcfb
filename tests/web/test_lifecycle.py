"""The endpoints of the Prometheus world."""

from pathlib import Path

import pytest

from escalatord.errors import Finding
from tests.fakes.web_engine import Night, night

ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


@pytest.mark.asyncio
async def test_healthy_follows_the_engine(world: Night):
    """200 while deadlines are worked, 503 when they are not; open to everybody."""
    assert (await world.client.get("/-/healthy", headers=ELSEWHERE)).status == 200
    world.engine.is_healthy = False
    assert (await world.client.head("/-/healthy")).status == 503


@pytest.mark.asyncio
async def test_ready_follows_the_engine(world: Night):
    """200 only when overdue work is caught up."""
    assert (await world.client.get("/-/ready", headers=ELSEWHERE)).status == 200
    world.engine.engine.ready = False
    assert (await world.client.get("/-/ready")).status == 503


@pytest.mark.asyncio
async def test_metrics_are_503_until_seeded(tmp_path: Path):
    """No figures are better than wrong ones; then the Accept header decides the format."""
    ready = False

    def metrics(accept: str) -> tuple[bytes, str] | None:
        return (b"# EOF\n", f"text/plain; asked={accept}") if ready else None

    async with night(tmp_path, metrics=metrics) as world:
        assert (await world.client.get("/metrics")).status == 503
        ready = True
        answer = await world.client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert await answer.read() == b"# EOF\n"
        assert answer.headers["Content-Type"] == "text/plain; asked=application/openmetrics-text"
        assert (await world.client.get("/metrics", headers=ELSEWHERE)).status == 401


@pytest.mark.asyncio
async def test_reload_is_hidden_unless_enabled(world: Night):
    """Without the flag there is no such address."""
    assert (await world.client.post("/-/reload")).status == 404


@pytest.mark.asyncio
async def test_reload_says_what_is_wrong(tmp_path: Path):
    """200 when the new rules are in force, 500 with every finding when the old ones stay."""
    findings: list[Finding] = []

    async def reload() -> tuple[Finding, ...]:
        return tuple(findings)

    async with night(tmp_path, reload=reload) as world:
        assert (await world.client.post("/-/reload")).status == 200
        assert (await world.client.put("/-/reload")).status == 200
        findings.append(Finding(file="policies.yaml", line=4, column=2, code="E001", say="no such person"))
        answer = await world.client.post("/-/reload")
        assert answer.status == 500
        assert "policies.yaml:4:2 E001 no such person" in await answer.text()
        assert (await world.client.post("/-/reload", headers=ELSEWHERE)).status == 401
        assert (await world.client.get("/-/reload")).status == 405


@pytest.mark.asyncio
async def test_requests_are_counted_by_route_not_by_path(world: Night):
    """Figures name the route, so that their number does not grow with what is asked for."""
    await world.client.get("/incidents/7")
    await world.client.get("/no/such/thing")
    await world.fire()
    assert world.observed == [
        ("/incidents/{number}", "GET", 404),
        ("none", "GET", 404),
        ("/in/{source}", "POST", 202),
    ]
