"""Answers to one message of several pages: its code means all of them, nothing else, and says what became of each."""

from dataclasses import replace

import pytest

from escalatord.core.events import Ack, PassOn
from escalatord.core.incident import NoticeKind, Via
from escalatord.engine.commands import Answer
from escalatord.respond.keypad import Keypad
from escalatord.respond.sms_reply import SmsReplies
from escalatord.store.rows import DigestRow, MemberRow
from tests.fakes.engine import FakeEngine
from tests.fakes.paging import an_incident, later, resolved

ANA = "+34600000001"


def night(count=3, code="X9", kind=NoticeKind.PAGE, **changes):
    """Return an engine in which one message told Ana of several incidents, and how she answers."""
    incidents = [
        replace(an_incident(service=f"s{n}", title=f"title {n}", key=f"k{n}", **changes), number=200 + n)
        for n in range(count)
    ]
    engine = FakeEngine(*incidents, now=later(87))
    engine.digests.append(DigestRow(reference="i200-1-0-d", person="ana", code=code, made_at=later(60)))
    engine.members["i200-1-0-d"] = [
        MemberRow(reference=f"i{each.number}-1-0", incident=each.number, track=each.main.name, kind=kind)
        for each in incidents
    ]
    return engine, SmsReplies(engine)


def owners(engine):
    """Return who holds each incident."""
    return [incident.main.owner for incident in engine.incidents.values()]


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["X9", "ack x9", "x 9.", "ALL"])
async def test_the_code_acks_all_that_the_message_told_of(text):
    """Each by its own ack, from the verified number."""
    engine, replies = night()
    reply = await replies.receive(ANA, text)
    assert owners(engine) == ["ana"] * 3
    assert all(isinstance(c, Answer) and isinstance(c.event, Ack) and c.event.via is Via.SMS for c in engine.commands)
    if text != "ALL":
        assert reply == "X9: 3 yours (03:12:41)."


@pytest.mark.asyncio
async def test_it_says_what_is_not_the_readers():
    """One is Bo's, one is over: counted, and nothing of theirs is changed."""
    engine, replies = night(4)
    numbers = list(engine.incidents)
    await engine.submit(Answer(incident=numbers[0], event=Ack(person="bo", via=Via.WEB)))
    engine.incidents[numbers[1]] = replace(resolved(), number=numbers[1])
    reply = await replies.receive(ANA, "X9")
    assert reply == "X9: 2 yours, 1 held by others, 1 over (03:12:41)."
    assert engine.incidents[numbers[0]].main.owner == "bo"


@pytest.mark.asyncio
async def test_passing_on_listing_and_help():
    """K8N passes all on, K8L lists the worst first, anything else changes nothing and says what can be said."""
    engine, replies = night()
    listed = await replies.receive(ANA, "X9L")
    assert listed == "X9: 3 of 3 wait. CRIT s0; CRIT s1; CRIT s2 Reply X9 to ack all."
    assert "stands for 3 pages. Nothing changed" in await replies.receive(ANA, "X9U")
    assert engine.commands == []
    assert "passed on" in await replies.receive(ANA, "X9N")
    assert all(isinstance(command.event, PassOn) for command in engine.commands)
    assert len(engine.commands) == 3


@pytest.mark.asyncio
async def test_a_bare_word_asks_which_and_counts_each_page():
    """Three pages of one message and one of its own: a bare ok acks nothing, and the question names two codes."""
    engine, replies = night()
    engine.incidents[300] = replace(an_incident(service="own", key="own"), number=300)
    engine.give_code("ana", 300, "K7")
    reply = await replies.receive(ANA, "ok")
    assert reply.startswith("4 open pages: ")
    assert "X9 s0" in reply
    assert "K7 own" in reply
    assert "s1" not in reply
    assert engine.commands == []


@pytest.mark.asyncio
async def test_one_page_of_a_message_is_acked_by_a_bare_word():
    """Exactly one waits, whoever told of it."""
    _, replies = night(1)
    assert "OK: you own" in await replies.receive(ANA, "ok")


@pytest.mark.asyncio
async def test_what_a_message_only_called_off_is_no_page():
    """Its code, if there were one, acks nothing."""
    engine, replies = night(kind=NoticeKind.STAND_DOWN)
    assert "nothing waits in it any more" in await replies.receive(ANA, "X9")
    assert engine.commands == []


@pytest.mark.asyncio
async def test_another_persons_code_is_nothing():
    """Bo replies with Ana's code."""
    engine, replies = night()
    assert "X9 is not one of your pages" in await replies.receive("+34600000002", "X9")
    assert engine.commands == []


@pytest.mark.asyncio
async def test_a_thousand_are_acked_and_told_in_one_segment():
    """A storm in one reply."""
    engine, replies = night(1000)
    assert await replies.receive(ANA, "X9") == "X9: 1000 yours (03:12:41)."
    assert set(owners(engine)) == {"ana"}
    assert len(await replies.receive(ANA, "X9L")) <= 160


@pytest.mark.asyncio
@pytest.mark.parametrize(("key", "said"), [("4", "is yours"), ("8", "is passed on"), ("5", "Press 4")])
async def test_keys_in_a_call_of_several_pages(key, said):
    """4 has all of them, 8 passes all of them on; the call says the worst and how many."""
    engine, _ = night()
    keypad = Keypad(engine)
    row = replace(engine.give_row("ana", 200), kind=NoticeKind.DIGEST, reference="i200-1-0-d")
    greeting = await keypad.greeting(row)
    assert greeting.sentences[0] == "3 incidents page you. The worst has severity critical."
    spoken = await keypad.key(row, key)
    assert said in " ".join(spoken.sentences)
    assert len(engine.commands) == (0 if key == "5" else 3)


@pytest.mark.asyncio
async def test_a_call_about_what_is_over_says_so():
    """Everything in it was acked meanwhile."""
    engine, replies = night()
    await replies.receive(ANA, "X9")
    keypad = Keypad(engine)
    row = replace(engine.give_row("ana", 200), kind=NoticeKind.DIGEST, reference="i200-1-0-d")
    assert (await keypad.greeting(row)).hang_up
    assert "Nothing waits for you any more" in " ".join((await keypad.key(row, "4")).sentences)


@pytest.mark.asyncio
async def test_many_keys_are_counted():
    """Eight at once: five are named, the rest is counted."""
    engine, _ = night(8)
    row = replace(engine.give_row("ana", 200), kind=NoticeKind.DIGEST, reference="i200-1-0-d")
    assert "And 3 more." in (await Keypad(engine).key(row, "4")).sentences
