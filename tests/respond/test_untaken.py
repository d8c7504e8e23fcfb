"""Acks that change nothing and are in no journal: each way to answer counts them, by how and why."""

from dataclasses import replace

import pytest

from escalatord.core.incident import NoticeKind
from escalatord.core.tokens import numbers, right_number
from escalatord.respond.chat_action import ChatAction
from escalatord.respond.keypad import Keypad
from escalatord.respond.link import Links
from escalatord.respond.sms_reply import SmsReplies
from escalatord.store.rows import DigestRow, MemberRow
from tests.fakes.engine import KEY, FakeEngine
from tests.fakes.paging import NAMES, a_person, a_ruleset, an_incident, later, resolved

ANA, NOBODY = "+34600000001", "+15550100999"
AMBIGUOUS, REFUSED = "ambiguous", "refused"


def engine_of(count=2, *, of=None):
    """Return an engine with so many open incidents from 142 on (or those of `of`), for each of which Ana has a code."""
    incidents = of or [replace(an_incident(key=f"k{place}"), number=142 + place) for place in range(count)]
    engine = FakeEngine(*incidents, now=later(87))
    for incident in incidents:
        engine.give_code("ana", incident.number)
    return engine


@pytest.mark.parametrize(
    ("text", "open_pages", "counted"),
    [
        ("ok", 2, [AMBIGUOUS]),
        ("ok", 1, []),
        ("ok", 0, [REFUSED]),
        ("ALL", 0, [REFUSED]),
        ("yeah well", 1, [AMBIGUOUS]),
        ("K7 not me", 1, [AMBIGUOUS]),
        ("X9", 1, [REFUSED]),
        ("X9+", 1, [REFUSED]),
        ("X9L", 1, []),
        ("K7", 1, []),
        ("K7L", 1, []),
        ("K7U", 1, []),
        ("?", 2, []),
    ],
)
@pytest.mark.asyncio
async def test_texts(text, open_pages, counted):
    """Which page, no such page, or no words of ours: counted once; what is no ack, or is taken, is not."""
    engine = engine_of(open_pages)
    await SmsReplies(engine).receive(ANA, text)
    assert engine.untaken == [("sms", result) for result in counted]


@pytest.mark.parametrize(("text", "counted"), [("K7", [REFUSED]), ("STOP", []), ("K7L", [])])
@pytest.mark.asyncio
async def test_texts_of_strangers(text, counted):
    """An ack from a number that nobody has is refused, each time."""
    engine = engine_of()
    await SmsReplies(engine).receive(NOBODY, text)
    await SmsReplies(engine).hear("nobody", text, via="chat")
    assert engine.untaken == [(via, result) for via in ("sms", "chat") for result in counted]


@pytest.mark.asyncio
async def test_a_retried_text_is_counted_once():
    """The provider delivers its callback twice."""
    engine = engine_of()
    replies = SmsReplies(engine)
    for _ in range(2):
        await replies.receive(ANA, "ok", provider_id="SM1")
    assert engine.untaken == [("sms", AMBIGUOUS)]


@pytest.mark.asyncio
async def test_a_code_that_two_people_of_one_number_have():
    """Nobody can tell who speaks."""
    people = {who: a_person(who, ANA if who in ("ana", "bo") else "") for who in NAMES}
    engine = FakeEngine(an_incident(), ruleset=a_ruleset(people), now=later(87))
    engine.give_code("ana", 142, "K7")
    engine.give_code("bo", 142, "K7")
    await SmsReplies(engine).receive(ANA, "K7")
    assert engine.untaken == [("sms", AMBIGUOUS)]


def digest_of(engine, kind=NoticeKind.PAGE):
    """Let one message tell Ana of everything, under the code X9."""
    engine.codes.clear()
    engine.digests.append(DigestRow(reference="d", person="ana", code="X9", made_at=later(60)))
    engine.members["d"] = [
        MemberRow(reference=f"i{number}-1-0", incident=number, track=incident.main.name, kind=kind)
        for number, incident in engine.incidents.items()
    ]


@pytest.mark.parametrize(
    ("text", "kind", "counted"),
    [
        ("X9", NoticeKind.PAGE, []),
        ("X9 not me", NoticeKind.PAGE, [AMBIGUOUS]),
        ("X9L", NoticeKind.PAGE, []),
        ("X9", NoticeKind.STAND_DOWN, [REFUSED]),
    ],
)
@pytest.mark.asyncio
async def test_texts_about_a_message_of_several_pages(text, kind, counted):
    """Its code means all of them; a word that is none of ours means nothing, and what was called off is nothing."""
    engine = engine_of()
    digest_of(engine, kind)
    await SmsReplies(engine).receive(ANA, text)
    assert engine.untaken == [("sms", result) for result in counted]


@pytest.mark.asyncio
async def test_what_is_over_or_gone_is_refused_whoever_asks():
    """An ack that the state machine knows nothing to do with leaves no entry in the journal."""
    engine = engine_of(of=[resolved()])
    row = engine.give_row("ana", 142)
    await SmsReplies(engine).receive(ANA, "K7")
    await Keypad(engine).key(row, "4")
    await Keypad(engine).key(row, "8")
    await ChatAction(engine).click("UANA", "ack", f"{row.reference}|1")
    engine.incidents.clear()
    await Keypad(engine).key(row, "4")
    assert engine.untaken == [("sms", REFUSED), ("call", REFUSED), ("chat", REFUSED), ("call", REFUSED)]


@pytest.mark.asyncio
async def test_keys():
    """A key before anything was said means nobody knows what; one for what has moved on is refused."""
    engine = engine_of(1)
    keypad = Keypad(engine)
    await keypad.called_back(ANA)
    assert engine.untaken == []
    engine.pass_on_to(142)
    await keypad.called_back(ANA, "4")
    await keypad.called_back(ANA, "4")
    await Keypad(engine).called_back(ANA, "8")
    assert engine.untaken == [("call", REFUSED), ("call", AMBIGUOUS)]


@pytest.mark.asyncio
async def test_keys_in_a_call_of_several_pages():
    """All of it was acked meanwhile."""
    engine = engine_of()
    digest_of(engine)
    row = replace(engine.give_row("ana", 142), kind=NoticeKind.DIGEST, reference="d")
    for _ in range(2):
        await Keypad(engine).key(row, "4")
    assert engine.untaken == [("call", REFUSED)]


@pytest.mark.parametrize(
    ("user", "action", "value", "counted"),
    [
        ("UNOBODY", "ack", "i142-1-ana|1", [REFUSED]),
        ("UNOBODY", "snooze", "i142-1-ana|1", []),
        ("UNOBODY", "ack", "nonsense", []),
        ("UANA", "take_over", "i9-9-9|1", [REFUSED]),
        ("UANA", "next", "i9-9-9|1", []),
        ("UANA", "ack", "i142-1-ana|1", []),
    ],
)
@pytest.mark.asyncio
async def test_buttons_in_chats(user, action, value, counted):
    """An account of nobody, a message that is forgotten."""
    engine = engine_of(1)
    engine.give_row("ana", 142, "chat")
    await ChatAction(engine).click(user, action, value)
    assert engine.untaken == [("chat", result) for result in counted]


@pytest.mark.asyncio
async def test_links():
    """Unknown, out of date, without the number, the wrong number, burned; a button that acks nothing is not counted."""
    engine = engine_of(1)
    links = Links(engine, KEY)
    token = engine.give_link("ana", 142, long=True)
    wrong = next(number for number in numbers(token) if number != right_number(token))

    async def press(action="ack", nonce=None, number=0, link=token):
        engine.untaken.clear()
        await links.act(link, action, nonce or (await links.look(link)).nonce, number)
        return [result for via, result in engine.untaken if via == "link"]

    assert await press(link="nobody's") == [REFUSED]
    assert await press(nonce="x") == [REFUSED]
    assert await press() == [AMBIGUOUS]
    assert await press("snooze") == []
    assert await press(number=wrong) == [REFUSED]
    assert await press(nonce="x", number=right_number(token)) == [REFUSED]


@pytest.mark.asyncio
async def test_links_that_work():
    """A press that is taken, and its double, are no refusal; the sixth within a minute, and one not offered, are."""
    engine = engine_of(1)
    links = Links(engine, KEY)
    token = engine.give_link("ana", 142)
    nonce = (await links.look(token)).nonce
    for _ in range(2):
        await links.act(token, "ack", nonce)
    assert engine.untaken == []
    await links.act(token, "take_over", (await links.look(token)).nonce)
    assert engine.untaken == [("link", REFUSED)]
    for _ in range(3):
        await links.act(token, "join", "x")
    assert engine.untaken == [("link", REFUSED)] * 4
