"""The simulated phones: answers from them take the way of real ones."""

import re
from dataclasses import replace

import pytest

from escalatord.core.incident import Attempt
from escalatord.notify.channel import Message
from escalatord.web.auth import CSRF_FIELD
from tests.fakes.web_engine import Night, message_of, night


async def paged(world: Night, channel: str):
    """Fire an alert, hand its claimed pages to the phones, and return the one that went by `channel`."""
    await world.incident("HighErrorRate", service="checkout", transaction_failure_rate="9")
    found = None
    for minutes in (0, 4):
        world.clock.move(minutes=minutes)
        await world.due()
        for each in await world.claim(1):
            spec = world.engine.ruleset.channels[each.row.channel]
            await world.board.take(spec, with_code(message_of(each.row), each.code))
            wanted = each.row.channel == channel and each.row.track == "technical"
            found = each if wanted else found
        if found is not None:
            return found
    raise AssertionError(channel)


def with_code(message: Message, code: str) -> Message:
    """Return the message with the code that its reader would see."""
    return replace(message, code=code, link="https://esc.example.com/a/x")


async def said(world: Night, **content: str):
    """Answer from a phone and return (status, content)."""
    answer = await world.client.post("/api/v1/sim/answer", json=content)
    return answer.status, await answer.json()


@pytest.mark.asyncio
async def test_messages_are_listed_by_person(world: Night):
    """Tools read what each phone got, with the link and the incident."""
    page = await paged(world, "sms")
    content = await (await world.client.get(f"/api/v1/sim/messages?person={page.row.person}")).json()
    message = next(each for each in content["messages"] if each["channel"] == "sms")
    assert message["incident"] == 1
    assert message["person"] == page.row.person
    assert message["text"]
    assert message["link"].startswith("https://")
    everybody = await (await world.client.get("/api/v1/sim/messages")).json()
    assert len(everybody["messages"]) >= len(content["messages"])
    nobody = await (await world.client.get("/api/v1/sim/messages?person=nobody")).json()
    assert nobody["messages"] == []


@pytest.mark.asyncio
async def test_a_text_acks(world: Night):
    """The reply is that of a real phone, and both stand in the talk."""
    page = await paged(world, "sms")
    status, content = await said(world, person=page.row.person, channel="sms", text=page.code)
    assert status == 200
    assert content["reply"].startswith("OK: you own")
    talk = [bubble.text for bubble in world.board.replies(page.row.person)]
    assert talk == [page.code, content["reply"]]
    found = await (await world.client.get("/api/v1/incidents/1")).json()
    assert found["tracks"][0]["acknowledged_via"] == "sms"


@pytest.mark.asyncio
async def test_a_chat_line_acks_by_chat(world: Night):
    """The same grammar in the chat, recorded as chat."""
    page = await paged(world, "chat")
    await said(world, person=page.row.person, channel="chat", text="on it")
    found = await (await world.client.get("/api/v1/incidents/1")).json()
    assert found["tracks"][0]["acknowledged_via"] == "chat"


@pytest.mark.asyncio
async def test_a_key_acks_the_ringing_call(world: Night):
    """Key 9 repeats and the call goes on; key 4 acks and ends it."""
    page = await paged(world, "call")
    person = page.row.person
    status, content = await said(world, person=person, channel="call", key="9")
    assert (status, bool(content["reply"])) == (200, True)
    assert world.board.find(page.row.reference).ringing
    _, content = await said(world, person=person, channel="call", key="4")
    assert "is yours" in content["reply"]
    assert world.board.find(page.row.reference).status is Attempt.DELIVERED
    status, content = await said(world, person=person, channel="call", key="4")
    assert (status, content["error"]) == (404, "nothing_there")


@pytest.mark.asyncio
async def test_declining_a_call_reaches_nobody(world: Night):
    """The call counts as failed at once."""
    page = await paged(world, "call")
    status, content = await said(world, person=page.row.person, channel="call", key="hangup")
    assert (status, content["reply"]) == (200, None)
    assert world.board.find(page.row.reference).status is Attempt.FAILED_PERMANENT


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ({"person": "ana", "channel": "pigeon", "text": "x"}, 400),
        ({"person": "ana", "channel": "sms"}, 400),
        ({"person": "ana", "channel": "call", "key": "44"}, 400),
        ({"person": "ana", "channel": "call"}, 400),
        ({"channel": "sms", "text": "x"}, 400),
        ({"person": "nobody", "channel": "sms", "text": "x"}, 404),
    ],
)
@pytest.mark.asyncio
async def test_answers_that_make_no_sense_are_refused(world: Night, content, status):
    """Each with a sentence, and nothing happens."""
    got, said_back = await said(world, **content)
    assert got == status
    assert said_back["say"]
    assert world.engine.commands == []


@pytest.mark.asyncio
async def test_without_simulated_phones_there_are_none(tmp_path):
    """A daemon with real channels only has neither page nor API for them."""
    async with night(tmp_path, switchboard=None) as world:
        assert (await world.client.get("/sim")).status == 404
        assert (await world.client.get("/api/v1/sim/messages")).status == 404
        assert (await said(world, person="ana", channel="sms", text="x"))[0] == 404
        assert "/sim" not in await (await world.client.get("/")).text()


@pytest.mark.asyncio
async def test_the_page_shows_phones_and_takes_answers(world: Night):
    """A ringing call has its keypad; a form answers; an example can be fired."""
    page = await paged(world, "call")
    text = await (await world.client.get("/sim")).text()
    assert "Ringing" in text
    assert "A full disk" in text
    token = re.search(r'name="csrf" value="(\w+)"', text)[1]
    fields = {CSRF_FIELD: token, "person": page.row.person, "channel": "call", "key": "4"}
    answer = await world.client.post("/sim/answer", data=fields, allow_redirects=False)
    assert answer.headers["Location"] == "/sim"
    again = await world.client.post("/sim/answer", data=fields, allow_redirects=False)
    assert again.headers["Location"] == "/sim?said=nothing"
    assert "nothing to answer" in await (await world.client.get("/sim?said=nothing")).text()
    fired = await world.client.post("/sim/fire", data={CSRF_FIELD: token, "example": "disk"}, allow_redirects=False)
    assert fired.headers["Location"] == "/sim?said=fired"
    listed = await (await world.client.get("/api/v1/incidents")).json()
    assert len(listed["incidents"]) == 2
    assert (await world.client.post("/sim/fire", data={CSRF_FIELD: token, "example": "none"})).status == 404
    alone = await (await world.client.get(f"/sim?person={page.row.person}")).text()
    assert alone.count("Phone of") == 1
