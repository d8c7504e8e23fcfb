"""The webhook: its body, its signature, its pace."""

import asyncio
import hashlib
import hmac
import json
from contextlib import asynccontextmanager

import pytest

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.notify import webhook
from escalatord.notify.webhook import encoded, signature
from tests.fakes.http import Answer, LocalServer, Trouble
from tests.fakes.messages import LINK, PAGE, Secret, message, outside, spec
from tests.fakes.stepped_clock import SteppedClock


@asynccontextmanager
async def hook(**settings):
    """Connect the channel to a server; yields (server, channel, clock)."""
    clock = SteppedClock()
    async with LocalServer() as server:
        given = {"url": server.url + "/in?team=a%20b", "timeout_seconds": 2.0}
        channel = webhook.build(spec(ChannelKind.WEBHOOK, "webhook", **{**given, **settings}), outside(clock))
        yield server, channel, clock
        await channel.close()


BODY = {
    "version": "1",
    "reference": "142.technical.1.ana.sms.1",
    "kind": "page",
    "incident": 142,
    "label": "INC-142",
    "severity": "critical",
    "track": "technical",
    "epoch": 3,
    "person": "ana",
    "person_name": "Ana Ruiz",
    "title": PAGE.title,
    "text": PAGE.text,
    "link": LINK,
    "code": "K7",
    "labels": {"env": "prod"},
    "annotations": {"note": "x"},
    "facts": {"links": {"runbook": "https://run.example.com/5xx"}},
}


@pytest.mark.asyncio
async def test_post_is_made_exactly_so():
    """Path, query, headers and body are these; the phone number is not in them."""
    async with hook(secret=Secret("s3"), headers={"X-Team": "a\r\nX-Evil: 1"}) as (server, channel, clock):
        receipt = await channel.send(PAGE)
        assert (Attempt.DELIVERED, PAGE.reference) == (receipt.status, receipt.provider_id)
        (request,) = server.requests
        assert (request.method, request.path, request.query) == ("POST", "/in", (("team", "a b"),))
        assert json.loads(request.body) == BODY
        assert PAGE.address.encode() not in request.body
        stamp = int(clock.now().timestamp())
        mac = hmac.new(b"s3", f"{stamp}.".encode() + request.body, hashlib.sha256).hexdigest()
        assert {
            "content-type": "application/json",
            "idempotency-key": PAGE.reference,
            "x-escalatord-signature": f"t={stamp},v1={mac}",
            "x-team": "a X-Evil: 1",
        } == {
            name: value
            for name, value in request.headers.items()
            if name.startswith(("x-", "idempotency", "content-type"))
        }


@pytest.mark.asyncio
async def test_post_without_a_secret_is_not_signed():
    """No secret, no signature header."""
    async with hook() as (server, channel, _):
        await channel.send(PAGE)
        assert "x-escalatord-signature" not in server.requests[0].headers


def test_confidential_notice_carries_no_alert():
    """Labels, annotations and facts of a confidential incident stay at home."""
    body = json.loads(encoded(message(confidential=True)))
    assert (body["labels"], body["annotations"], body["facts"]) == ({}, {}, {})


def test_facts_of_any_type_can_be_written():
    """A fact that JSON does not know is written as text; the message itself is not changed."""
    page = message(facts={"at": SteppedClock().now(), "labels": {"a": "b"}})
    assert json.loads(encoded(page))["facts"]["at"] == "2026-10-24 01:11:00+00:00"
    assert page.facts["labels"] == {"a": "b"}


def test_signature_covers_time_and_body():
    """Another secret, instant or body gives another signature."""
    good = signature(b"k", 1, b"body")
    assert len({good, signature(b"j", 1, b"body"), signature(b"k", 2, b"body"), signature(b"k", 1, b"Body")}) == 4


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
@pytest.mark.asyncio
async def test_any_success_is_a_delivery(status):
    """Every 2xx counts."""
    async with hook() as (server, channel, _):
        server.script.append(Answer(status=status))
        assert (await channel.send(PAGE)).status is Attempt.DELIVERED


@pytest.mark.asyncio
async def test_success_with_an_endless_body_is_a_delivery_at_once():
    """The status is the answer; nobody waits for a body."""
    async with hook() as (server, channel, _):
        server.script.append(Answer(trouble=Trouble.DRIP))
        assert (await channel.send(PAGE)).status is Attempt.DELIVERED
        assert (await channel.send(PAGE)).status is Attempt.DELIVERED


@pytest.mark.asyncio
async def test_many_posts_share_few_connections():
    """Five hundred posts, 64 at a time, keep to the pool and all arrive once."""
    async with hook() as (server, channel, _):
        gate = asyncio.Semaphore(channel.capabilities.concurrency)

        async def post(number):
            async with gate:
                await channel.send(message(reference=f"r{number}"))

        await asyncio.gather(*(post(number) for number in range(500)))
        assert {f"r{number}" for number in range(500)} == {each.headers["idempotency-key"] for each in server.requests}
        assert (len(server.requests), len(server.connections) <= 64) == (500, True)
