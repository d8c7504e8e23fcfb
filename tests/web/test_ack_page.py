"""The page behind the link of a message."""

import pytest

from escalatord.core.tokens import right_number
from escalatord.errors import StoreUnavailableError
from escalatord.respond.link import LinkState, LinkView
from escalatord.web.ack_page import HEADLINES, LABELS
from escalatord.web.parts import FORM_BYTES_MAX
from tests.fakes.web_engine import Night
from tests.web.test_pages import harmless, watch

PAGE_BYTES_MAX = 14 * 1024
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9", "Host": "esc.example.com"}
BOTS = ["Slackbot-LinkExpanding 1.0", "SkypeUriPreview", "Mozilla/5.0 (Microsoft Office 365)", "WhatsApp/2", ""]


async def links_of(world: Night) -> tuple[str, str, str]:
    """Fire an alert and return (person, link of a text message, link of a mail or chat message)."""
    await world.incident("HighErrorRate", service="checkout", transaction_failure_rate="9")
    claimed = [each for each in await world.claim(1) if each.link_token]
    short = next(each for each in claimed if len(each.link_token) == 13)
    long = next(each for each in claimed if len(each.link_token) > 13)
    return short.row.person, f"/a/{short.link_token}", f"/a/{long.link_token}"


def nonce_in(text: str) -> str:
    """Return the nonce of the page's first form."""
    return next(
        attributes["value"] for tag, attributes in watch(text).found if tag == "input" and attributes["name"] == "nonce"
    )


async def see(world: Night, link: str) -> str:
    """Return the page behind a link."""
    answer = await world.client.get(link, headers=ELSEWHERE)
    assert answer.status == 200
    return await answer.text()


@pytest.mark.asyncio
async def test_one_tap_acks(world: Night):
    """The page says what is true; its button makes the incident the reader's; no cookie is set."""
    person, link, _ = await links_of(world)
    answer = await world.client.get(link, headers=ELSEWHERE)
    text = await answer.text()
    assert not answer.cookies
    assert len(await answer.read()) < PAGE_BYTES_MAX
    assert "script" not in {tag for tag, _ in watch(text).found}
    assert "I HAVE IT" in text
    assert "Nobody has it yet" in text
    harmless(text)
    acked = await world.client.post(link, data={"action": "ack", "nonce": nonce_in(text)}, headers=ELSEWHERE)
    assert acked.status == 200
    assert "It is yours" in await acked.text()
    found = await (await world.client.get("/api/v1/incidents/1")).json()
    assert found["tracks"][0]["owner"] == person
    assert found["tracks"][0]["acknowledged_via"] == "link"


@pytest.mark.asyncio
async def test_a_replay_says_already_done(world: Night):
    """The same nonce again changes nothing more."""
    _, link, _ = await links_of(world)
    fields = {"action": "ack", "nonce": nonce_in(await see(world, link))}
    await world.client.post(link, data=fields)
    before = len(world.engine.commands)
    again = await world.client.post(link, data=fields)
    assert "Already done" in await again.text()
    assert len(world.engine.commands) == before


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("bot", BOTS)
@pytest.mark.asyncio
async def test_looking_is_inert(world: Night, method, bot):
    """Scanners and unfurlers that fetch the page change nothing."""
    _, link, long = await links_of(world)
    before = len(world.engine.commands)
    for address in (link, long, f"{link}?action=ack", f"{long}?number={right_number(long)}"):
        assert (await world.client.request(method, address, headers={"User-Agent": bot})).status == 200
    assert len(world.engine.commands) == before


@pytest.mark.asyncio
async def test_a_mailed_link_wants_the_number_of_the_message(world: Night):
    """Three buttons, the right one in the middle; the right number acks."""
    _, _, link = await links_of(world)
    text = await see(world, link)
    numbers = [attributes["value"] for tag, attributes in watch(text).found if tag == "button"]
    right = str(right_number(link.removeprefix("/a/")))
    assert len(numbers) == 3
    assert numbers[1] == right
    fields = {"action": "ack", "nonce": nonce_in(text), "number": right}
    assert "It is yours" in await (await world.client.post(link, data=fields)).text()


@pytest.mark.parametrize("order", [[0], [2], [0, 1, 2], [2, 1, 0]], ids=["first", "last", "all in order", "backwards"])
@pytest.mark.asyncio
async def test_a_scanner_that_presses_buttons_acks_nothing(world: Night, order):
    """Whoever submits the first form, the last, or all of them burns the link and acks nothing."""
    _, _, link = await links_of(world)
    for index in order:
        text = await see(world, link)
        forms = [attributes for tag, attributes in watch(text).found if tag == "button"]
        fields = {"action": "ack", "nonce": nonce_in(text) if forms else "x"}
        if forms:
            fields["number"] = forms[index]["value"]
        await world.client.post(link, data=fields)
    found = await (await world.client.get("/api/v1/incidents/1")).json()
    assert found["state"] == "open"
    assert "This link is closed" in await see(world, link)


@pytest.mark.parametrize("number", ["", "x", "٤٣", "-1", "1e9", "9" * 30])
@pytest.mark.asyncio
async def test_a_number_that_is_none_acks_nothing(world: Night, number):
    """Without a number nothing happens, and the link is not burned by nonsense."""
    _, _, link = await links_of(world)
    fields = {"action": "ack", "nonce": nonce_in(await see(world, link)), "number": number}
    await world.client.post(link, data=fields)
    assert (await (await world.client.get("/api/v1/incidents/1")).json())["state"] == "open"


@pytest.mark.asyncio
async def test_tries_are_limited(world: Night):
    """Too many tries in a minute get 429 and no buttons."""
    _, link, _ = await links_of(world)
    statuses = [(await world.client.post(link, data={"action": "ack", "nonce": "x"})).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.asyncio
async def test_unknown_and_old_links_look_alike_in_size(world: Night, method):
    """404 for what never was, 410 for what is long over, in the same number of bytes."""
    _, link, _ = await links_of(world)
    await world.client.post("/api/v1/incidents/1/resolve")
    world.clock.move(hours=25)
    old = await world.client.request(method, link)
    never = [await world.client.request(method, f"/a/{token}") for token in ("7QF3M9TX2B4KP", "x", "A" * 200, "%00")]
    assert old.status == 410
    assert [answer.status for answer in never] == [404] * 4
    assert {len(await answer.read()) for answer in (old, *never)} == {4096}


@pytest.mark.asyncio
async def test_over_and_somebody_else_are_told(world: Night):
    """The others read that they can sleep, and later that it is over."""
    _, link, _ = await links_of(world)
    await world.client.post("/api/v1/incidents/1/ack", json={"person": "vera"})
    text = await see(world, link)
    assert "You can go back to sleep" in text
    assert "Vera" in text
    assert "Take over" in text
    await world.client.post("/api/v1/incidents/1/resolve")
    assert "It is over" in await see(world, link)


@pytest.mark.asyncio
async def test_a_store_that_is_away_says_how_else_to_answer(world: Night):
    """503 names the other ways; nothing was changed."""
    _, link, _ = await links_of(world)
    nonce = nonce_in(await see(world, link))
    world.engine.error = StoreUnavailableError("locked")
    for answer in (
        await world.client.get(link),
        await world.client.post(link, data={"action": "ack", "nonce": nonce}),
    ):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "press 4" in await answer.text()
    world.engine.error = None
    fields = {"action": "ack", "nonce": nonce}
    assert "It is yours" in await (await world.client.post(link, data=fields)).text()


@pytest.mark.asyncio
async def test_a_huge_form_is_refused(world: Night):
    """A form past the limit is 413 before it is parsed."""
    assert (await world.client.post("/a/x", data={"x": "x" * FORM_BYTES_MAX})).status == 413


@pytest.mark.parametrize("state", list(LinkState))
@pytest.mark.asyncio
async def test_every_state_has_a_page(world: Night, monkeypatch, state):
    """Whatever a link shows can be rendered, hostile words included, in under 14 KB; secrets of a case stay out."""

    async def look(_token: str) -> LinkView:
        hostile = "<script>alert(1)</script>\"'"
        return LinkView(
            state=state,
            said=hostile,
            label="INC-1",
            code="K7",
            reader=hostile,
            severity="critical",
            service=hostile,
            title=hostile * 30,
            since="03:11",
            open_for="5m",
            who=hostile,
            owner=hostile,
            next=hostile,
            nonce="n" * 400,
            actions=tuple(LABELS),
            links={"runbook_url": "https://ok.example", "graph": "javascript:alert(1)", hostile: hostile},
        )

    monkeypatch.setattr(world.parts.links, "look", look)
    answer = await world.client.get("/a/x")
    text = await answer.text()
    harmless(text)
    assert len(await answer.read()) < PAGE_BYTES_MAX
    assert HEADLINES[state] in text or state is LinkState.CONFIDENTIAL
    if state is LinkState.CONFIDENTIAL:
        assert "ok.example" not in text
        assert "Sign in" in text
