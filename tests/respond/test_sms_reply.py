"""Answers by text message, against the real state machine."""

# ruff: noqa: RUF001 - messages as phones write them

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.events import Ack, Note
from escalatord.core.gsm7 import septets
from escalatord.core.incident import Incident, Reason, TrackState, Via
from escalatord.core.rules import AlertRecord
from escalatord.engine.commands import Answer, Command, Result, Stranger, Unreachable
from escalatord.errors import StoreUnavailableError
from escalatord.respond.grammar import ACK_WORDS, STOP_WORDS, Meaning, parse_reply
from escalatord.respond.sms_reply import SmsReplies
from tests.fakes.engine import FakeEngine
from tests.fakes.paging import NAMES, OPENED, a_person, a_ruleset, a_track, acked, an_incident, later, resolved

ANA, BO = "+34600000001", "+34600000002"


def second(**changes: object) -> Incident:
    """Return another open incident: db-1, disk full, INC-143."""
    return replace(an_incident(service="db-1", title="disk full", key="other", **changes), number=143)


def night(*incidents: Incident, codes: tuple[str, ...] = ("ana",)) -> tuple[FakeEngine, SmsReplies]:
    """Return an engine a minute and 27 seconds into the night, each named person holding a code for each incident."""
    engine = FakeEngine(*incidents, now=later(87))
    for person in codes:
        for incident in incidents:
            engine.give_code(person, incident.number)
    return engine, SmsReplies(engine)


def answers(engine: FakeEngine) -> list[Answer]:
    """Return what the engine was asked to do to incidents."""
    return [command for command in engine.commands if isinstance(command, Answer)]


def owner(engine: FakeEngine, number: int = 142) -> str:
    """Return who holds an incident."""
    return engine.incidents[number].main.owner


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["K7", "k 7.", "ack k7", "ok", "1", "On it!", "ALL"])
async def test_one_open_page_is_acked_by_any_way_of_saying_so(text: str) -> None:
    """The code, a bare word, or ALL; the answer says who owns it, since when, and what happens if nothing does."""
    engine, replies = night(an_incident())
    reply = await replies.receive(ANA, text)
    expected = "OK: you own K7 checkout (acked 03:12:41, 1m27s). Re-pages you at 04:12 if still open. K7U undoes."
    assert (reply, owner(engine)) == (expected, "ana")
    event = answers(engine)[0].event
    assert isinstance(event, Ack)
    assert (event.via, event.epoch, event.detail) == (Via.SMS, 1, "number …01")


@pytest.mark.asyncio
async def test_two_open_pages_are_asked_about() -> None:
    """A bare word never picks one of several."""
    engine, replies = night(an_incident(title="5xx"), second())
    reply = await replies.receive(ANA, "ok")
    assert reply == "2 open pages: K7 checkout, L9 db-1. Which? Reply K7, L9 or ALL."
    assert engine.commands == []


@pytest.mark.asyncio
async def test_many_open_pages_are_asked_about_in_one_segment() -> None:
    """What does not fit is counted."""
    many = [replace(second(), number=200 + place, service=f"service-with-a-long-name-{place}") for place in range(20)]
    engine, replies = night(*many)
    reply = await replies.receive(ANA, "ok") or ""
    assert reply.startswith("20 open pages: K7")
    assert reply.endswith("and 14 more. Which? Reply its code or ALL.")
    assert septets(reply) <= 160
    assert engine.commands == []


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["ALL", "K7 L9", "k7, l9 and on my way"])
async def test_several_pages_are_acked_when_several_are_named(text: str) -> None:
    """ALL, or every code, acks them all and names them all."""
    engine, replies = night(an_incident(), second())
    reply = await replies.receive(ANA, text)
    assert reply == "OK: you own 2: K7 checkout, L9 db-1 (acked 03:12:41)."
    assert (owner(engine), owner(engine, 143)) == ("ana", "ana")


@pytest.mark.asyncio
async def test_all_says_what_somebody_else_has() -> None:
    """Pages that Bo acked meanwhile are not claimed."""
    engine, replies = night(an_incident(), second())
    engine.incidents[143] = replace(acked("bo"), number=143)
    reply = await replies.receive(ANA, "K7, L9")
    assert reply == "OK: you own 1: K7 checkout (acked 03:12:41). Not yours: L9, reply a code to see."


@pytest.mark.asyncio
async def test_a_code_of_another_person_behind_ones_own_is_a_note() -> None:
    """`K7 P2 page` acks K7 alone."""
    engine, replies = night(an_incident(), second())
    await replies.receive(ANA, "K7 P2 page for the db")
    assert (owner(engine), owner(engine, 143)) == ("ana", "")
    assert [a.event.text for a in answers(engine) if isinstance(a.event, Note)] == ["P2 page for the db"]


@pytest.mark.asyncio
async def test_the_rest_of_a_message_is_kept_as_a_note() -> None:
    """What was said beside the code is in the incident's record."""
    engine, replies = night(an_incident())
    reply = await replies.receive(ANA, "K7 on my way")
    assert (reply or "").startswith("OK: you own K7 checkout")
    assert [a.event for a in answers(engine)][1:] == [Note(person="ana", via=Via.SMS, text="on my way")]


@pytest.mark.asyncio
async def test_an_ack_after_the_tier_moved_is_told_where_it_had_gone() -> None:
    """Late counts, and the answer says who owns it now and who was told."""
    engine, replies = night(an_incident(), codes=("ana", "bo"))
    engine.pass_on_to(142)
    engine.clock.at = later(346)
    reply = await replies.receive(ANA, "K7")
    expected = (
        "K7 checkout moved to Bo (tier 2) at 03:16 before your reply 03:17. "
        "Bo has not acked. You now own K7; Bo was told."
    )
    assert (reply, owner(engine)) == (expected, "ana")


@pytest.mark.asyncio
async def test_a_reply_to_what_somebody_else_acked_says_who_has_it() -> None:
    """The first wins; the second is told, and may join."""
    engine, replies = night(acked("bo"))
    expected = "K7 checkout was acked by Bo at 03:11:58 (call). You are off the hook. Reply K7+ to join."
    assert await replies.receive(ANA, "K7") == expected
    assert await replies.receive(ANA, "ok") == expected
    assert await replies.receive(ANA, "K7?") == expected
    assert await replies.receive(ANA, "K7+") == "OK: you joined K7 checkout. Bo owns it."
    assert owner(engine) == "bo"


@pytest.mark.asyncio
async def test_the_same_ack_twice_is_already_yours() -> None:
    """A second message changes nothing and says so."""
    engine, replies = night(an_incident())
    await replies.receive(ANA, "K7")
    engine.clock.at = later(120)
    reply = await replies.receive(ANA, "K7")
    assert reply == "K7 checkout is already yours (acked 03:12:41). Re-pages you at 04:12 if still open."
    assert engine.incidents[142].main.acked_at == later(87)


@pytest.mark.asyncio
async def test_an_expiring_ack_is_kept_by_its_code() -> None:
    """The question after the hold is answered with the code, or a bare word when nothing else waits."""
    engine, replies = night(acked("ana", at=44))
    engine.pass_on_to(142)
    engine.clock.at = later(3700)
    assert await replies.receive(ANA, "ok") == "OK: you keep K7 checkout until 05:12. K7U gives it back."
    assert engine.reasons[-1] is Reason.ACK_EXTENDED


@pytest.mark.asyncio
async def test_a_question_beside_a_page_makes_a_bare_word_ambiguous() -> None:
    """An `ok` could mean either, so it means neither."""
    engine, replies = night(acked("ana", at=44), second(opened_at=later(3600)))
    engine.pass_on_to(142)
    reply = await replies.receive(ANA, "ok")
    assert reply == "2 open pages: K7 checkout, L9 db-1. Which? Reply K7, L9 or ALL."


@pytest.mark.asyncio
async def test_pass_on_enters_the_next_tier_once() -> None:
    """K7N pages Bo; a second one is too late and says so."""
    engine, replies = night(an_incident())
    first = await replies.receive(ANA, "K7N am driving")
    again = await replies.receive(ANA, "K7N")
    assert first == "OK: K7 checkout passed on. Bo is being paged (tier 2)."
    assert again == "K7 checkout: too late, nothing changed. Bo is being paged (tier 2)."
    assert engine.incidents[142].main.tier == 2
    assert [a.event.text for a in answers(engine) if isinstance(a.event, Note)] == ["am driving"]


@pytest.mark.asyncio
async def test_pass_on_from_the_last_tier_reaches_the_last_resort() -> None:
    """No pass-on ends in silence."""
    engine, replies = night(an_incident(a_track(3)), codes=("cy",))
    reply = await replies.receive("+34600000003", "K7N")
    assert reply == "OK: K7 checkout passed on. No tier is left: the last resort (Cleo) is being paged."
    assert engine.incidents[142].main.state is TrackState.LAST_RESORT


@pytest.mark.asyncio
async def test_undo_gives_back_ones_own_ack_only() -> None:
    """K7U by the owner pages the tier again; by anybody else it tells who has it."""
    engine, replies = night(acked("bo"), codes=("ana", "bo"))
    assert (await replies.receive(ANA, "K7U") or "").startswith("K7 checkout was acked by Bo")
    assert owner(engine) == "bo"
    assert await replies.receive(BO, "K7U") == "OK: K7 checkout is open again. Ana is being paged (tier 1)."
    assert await replies.receive(BO, "K7U") == (
        "K7 checkout is not acked, nothing to undo. Ana is being paged (tier 1)."
    )


@pytest.mark.asyncio
async def test_list_names_the_alerts_of_a_page() -> None:
    """K7L says what is behind one code, in one segment."""
    engine, replies = night(an_incident())
    alert = Alert(source="am", fingerprint="f", status=AlertStatus.FIRING, starts_at=OPENED, title="disk on node-1")
    record = AlertRecord(alert=alert, opened_at=OPENED, last_seen_at=OPENED)
    gone = replace(record, alert=replace(alert, status=AlertStatus.RESOLVED))
    engine.alerts[142] = [record, gone]
    assert await replies.receive(ANA, "K7L") == "K7 checkout: 1 alert. disk on node-1"
    engine.alerts[142] = [replace(record, alert=replace(alert, title="x" * 300)) for _ in range(9)]
    reply = await replies.receive(ANA, "k7 list") or ""
    assert reply.startswith("K7 checkout: 9 alerts. xxxx")
    assert septets(reply) <= 160


@pytest.mark.asyncio
async def test_a_code_of_a_closed_incident_says_that_it_is_over() -> None:
    """A late reply acks nothing new: codes rest, and the answer tells when it ended."""
    engine, replies = night(resolved(), second(), codes=())
    engine.clock.at = later(600)
    engine.give_code("ana", 142, "K7", released=True)
    assert await replies.receive(ANA, "K7") == "K7 checkout is over. Closed 03:19 (open 8m). No action needed."
    assert (owner(engine), owner(engine, 143)) == ("", "")


@pytest.mark.asyncio
async def test_a_code_that_is_not_the_senders_acks_nothing() -> None:
    """Bo's code said by Ana means nothing, even while one page of hers is open."""
    engine, replies = night(an_incident(title="5xx"))
    reply = await replies.receive(ANA, "M4")
    assert reply == "M4 is not one of your pages. Nothing acked. Open: K7 checkout 5xx."
    assert engine.commands == []
    engine, replies = night(resolved())
    assert await replies.receive(ANA, "M4") == "M4 is not one of your pages. Nothing acked. No page waits for you."


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok thx", 'Did not understand "ok thx". Nothing acked. Open: K7 checkout 5xx. Reply K7 to ack or ? for help.'),
        (
            "K7 not me",
            'Did not understand "K7 not me". Nothing acked. Open: K7 checkout 5xx. Reply K7 to ack or ? for help.',
        ),
        (
            "?",
            "Reply a code to ack it (K7), K7N to pass it on, K7U to undo, K7+ to join. Open: K7 checkout 5xx.",
        ),
        ("K7?", "K7 checkout is not acked. Ana is being paged (tier 1). Reply K7 to ack."),
        ("YES", 'Did not understand "YES". Nothing acked. Open: K7 checkout 5xx. Reply K7 to ack or ? for help.'),
    ],
)
async def test_what_is_not_understood_acks_nothing_and_helps(text: str, expected: str) -> None:
    """The answer quotes what came, names what is open and how to ack it."""
    engine, replies = night(an_incident(title="5xx"))
    assert await replies.receive(ANA, text) == expected
    assert engine.commands == []


@pytest.mark.asyncio
async def test_nothing_open_is_said_plainly() -> None:
    """An ack word without any page, a question without any page, ALL without any page."""
    engine, replies = night(resolved())
    nothing = "No page waits for you. Nothing acked. Reply ? for help."
    assert await replies.receive(ANA, "ok") == nothing
    assert await replies.receive(ANA, "ALL") == nothing
    assert (await replies.receive(ANA, "?") or "").endswith("No page waits for you.")
    unclear = 'Did not understand "huh". Nothing acked. No page waits for you. Reply ? for help.'
    assert await replies.receive(ANA, "huh") == unclear
    assert engine.commands == []


@pytest.mark.asyncio
async def test_a_stranger_is_never_answered() -> None:
    """Unknown numbers get silence and one entry an hour, their number masked and their text left out."""
    engine, replies = night(an_incident())
    for _ in range(3):
        assert await replies.receive("+15550100999", "K7 secret words") is None
    said = "a message from somebody unknown, not answered"
    assert engine.commands == [Stranger(via=Via.SMS, who="…99", say=said)]
    engine.clock.at = later(4000)
    assert await replies.receive("+15550100999", "K7") is None
    assert await replies.receive("", "K7") is None
    assert len(engine.commands) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("word", sorted(STOP_WORDS))
async def test_stop_makes_the_phone_unreachable_and_is_not_answered(word: str) -> None:
    """The carrier will deliver nothing more, so the next contact method starts from this command."""
    engine, replies = night(an_incident())
    assert await replies.receive(ANA, f" {word.lower()} ") is None
    assert engine.commands == [Unreachable(person="ana", address_key="sms", why="STOP was sent from this phone")]
    assert owner(engine) == ""


@pytest.mark.asyncio
async def test_start_makes_a_stopped_phone_reachable_again() -> None:
    """A START without a STOP before is only not understood."""
    engine, replies = night(an_incident())
    assert (await replies.receive(ANA, "start") or "").startswith('Did not understand "start"')
    engine.dead = frozenset({("ana", "sms")})
    assert await replies.receive(ANA, "UNSTOP") is None
    why = "START was sent from this phone"
    assert engine.commands == [Unreachable(person="ana", address_key="sms", why=why, reachable=True)]


@pytest.mark.asyncio
async def test_help_belongs_to_the_carrier() -> None:
    """It answers HELP itself; a second answer would be ours to pay."""
    engine, replies = night(an_incident())
    assert await replies.receive(ANA, "help") is None
    assert engine.commands == []


@pytest.mark.asyncio
async def test_stop_in_a_chat_stops_no_phone() -> None:
    """Words of the carrier mean nothing where there is no carrier."""
    engine, replies = night(an_incident())
    assert (await replies.receive(ANA, "stop", via=Via.CHAT) or "").startswith('Did not understand "stop"')
    assert engine.commands == []


@pytest.mark.asyncio
async def test_a_person_known_otherwise_is_heard_by_the_same_grammar() -> None:
    """A simulated chat names the person; an unknown one is a stranger."""
    engine, replies = night(an_incident())
    assert (await replies.hear("ana", "ok", via=Via.CHAT) or "").startswith("OK: you own K7 checkout")
    assert await replies.hear("nobody", "ok", via=Via.CHAT) is None
    assert engine.incidents[142].main.acked_via is Via.CHAT
    assert isinstance(engine.commands[-1], Stranger)


@pytest.mark.asyncio
async def test_the_same_callback_again_has_no_second_effect() -> None:
    """A provider's retry gets the same reply; nothing is submitted again."""
    engine, replies = night(an_incident())
    first = await replies.receive(ANA, "K7N", provider_id="SM1")
    again = await replies.receive(ANA, "K7N", provider_id="SM1")
    assert first == again == "OK: K7 checkout passed on. Bo is being paged (tier 2)."
    assert len(answers(engine)) == 1


@pytest.mark.asyncio
async def test_a_retry_that_overtakes_waits_for_the_first() -> None:
    """Two copies of one callback at the same time are one message."""
    engine, replies = night(an_incident())
    both = await asyncio.gather(*(replies.receive(ANA, "K7", provider_id="SM1") for _ in range(2)))
    assert both[0] == both[1]
    assert len(answers(engine)) == 1


@pytest.mark.asyncio
async def test_a_message_that_could_not_be_committed_may_come_again() -> None:
    """No store, no reply: the provider's retry does the work."""
    engine, replies = night(an_incident())
    engine.down = True
    results = await asyncio.gather(
        *(replies.receive(ANA, "K7", provider_id="SM1") for _ in range(2)), return_exceptions=True
    )
    assert all(isinstance(result, StoreUnavailableError) for result in results)
    engine.down = False
    assert (await replies.receive(ANA, "K7", provider_id="SM1") or "").startswith("OK: you own K7")


class HangingEngine(FakeEngine):
    """An engine whose commits never end."""

    async def submit(self, command: Command) -> Result:
        """Wait for ever."""
        await asyncio.Event().wait()
        return await super().submit(command)


@pytest.mark.asyncio
async def test_a_cancelled_callback_leaves_its_copies_a_plain_error() -> None:
    """Whoever waits for a callback that was cut off is told that nothing was done."""
    engine = HangingEngine(an_incident(), now=later(87))
    engine.give_code("ana", 142)
    replies = SmsReplies(engine)
    first = asyncio.create_task(replies.receive(ANA, "K7", provider_id="SM1"))
    await asyncio.sleep(0)
    copy = asyncio.create_task(replies.receive(ANA, "K7", provider_id="SM1"))
    await asyncio.sleep(0)
    first.cancel()
    outcome = await asyncio.gather(first, copy, return_exceptions=True)
    assert [type(result) for result in outcome] == [asyncio.CancelledError, StoreUnavailableError]


@pytest.mark.asyncio
async def test_a_note_that_fails_does_not_unsay_the_ack() -> None:
    """The ack is committed; that its note was not changes nothing for the reader."""
    engine, replies = night(an_incident())
    submit = engine.submit

    async def without_notes(command: Command) -> Result:
        if isinstance(command, Answer) and isinstance(command.event, Note):
            raise StoreUnavailableError("full")
        return await submit(command)

    engine.submit = without_notes  # type: ignore[method-assign]  # the store fails between two commits
    assert (await replies.receive(ANA, "K7 on my way") or "").startswith("OK: you own K7")


@pytest.mark.asyncio
async def test_at_most_five_answers_in_a_row_change_nothing() -> None:
    """Two robots fall silent; an act, or an hour, and the sender is answered again."""
    engine, replies = night(an_incident())
    said = [await replies.receive(ANA, "huh") for _ in range(8)]
    assert [text is None for text in said] == [False] * 5 + [True] * 3
    assert (await replies.receive(BO, "huh") or "").startswith("Did not understand")
    engine.clock.at = later(3700)
    assert await replies.receive(ANA, "huh") is not None
    assert await replies.receive(ANA, "K7") is not None
    assert [await replies.receive(ANA, "huh") is None for _ in range(6)] == [False] * 5 + [True]


@pytest.mark.asyncio
async def test_people_who_share_a_number_are_told_apart_by_their_codes() -> None:
    """A code that only one of them has says who; one that both have says nothing."""
    people = {who: a_person(who, ANA if who in ("ana", "bo") else "") for who in NAMES}
    engine = FakeEngine(an_incident(), second(), ruleset=a_ruleset(people), now=later(87))
    engine.give_code("ana", 142, "K7")
    engine.give_code("bo", 143, "K7")
    engine.give_code("bo", 142, "M4")
    replies = SmsReplies(engine)
    assert (await replies.receive(ANA, "K7") or "").startswith('Did not understand "K7". Nothing acked.')
    assert (await replies.receive(ANA, "M4") or "").startswith("OK: you own M4 checkout")
    assert (owner(engine), owner(engine, 143)) == ("bo", "")


@pytest.mark.asyncio
async def test_a_confidential_case_is_answered_by_its_code_alone() -> None:
    """No reply of ours repeats a word of its alert."""
    secret = an_incident(
        a_track(name="compliance", policy="feed"), confidential=True, title="SECRET", service="SECRET", source="SECRET"
    )
    _engine, replies = night(secret)
    texts = [await replies.receive(ANA, text) or "" for text in ("?", "huh", "K7?", "K7L", "K7", "K7", "K7U", "K7N")]
    assert not [text for text in texts if "SECRET" in text]
    assert texts[3] == "K7 is confidential. No details here, sign in."
    assert texts[4].startswith("OK: you own K7 (confidential) (acked 03:12:41, 1m27s).")


@pytest.mark.asyncio
async def test_a_code_of_an_incident_that_is_gone_is_nobodys() -> None:
    """Retention may have taken the incident before its code."""
    engine, replies = night(an_incident())
    engine.incidents.clear()
    assert (await replies.receive(ANA, "K7") or "").startswith("K7 is not one of your pages")


@pytest.mark.asyncio
async def test_all_stops_at_its_limit_and_says_so() -> None:
    """Sixty pages take two messages."""
    engine, replies = night(*(replace(second(), number=200 + place) for place in range(60)))
    assert (await replies.receive(ANA, "ALL") or "").endswith("10 more wait, reply ALL again.")
    assert len(answers(engine)) == 50


# --------------------------------------------------------------------------------------- generated replies

PIECES = st.sampled_from(
    [
        "K7",
        "k 7",
        "L9",
        "M4",
        "K9",
        "ack",
        "ok",
        "1",
        "on it",
        "all",
        "?",
        "stop",
        "yes",
        "no",
        "not",
        "n",
        "u",
        "+",
        "l",
        " ",
        ".",
        ",",
        "\n",
        "and",
        "thx",
        "K",
        "7",
        "\u200b",
        "Ｋ７",
        "undo",
        "pass on",
        "join",
    ]
)
MESSAGES = st.one_of(
    st.lists(PIECES, max_size=5).map(" ".join), st.lists(PIECES, max_size=4).map("".join), st.text(max_size=30)
)
ACK_EVENTS = (Reason.ACKNOWLEDGED, Reason.ACKNOWLEDGED_LATE)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """Return one loop for all generated messages: a new one for each would take most of the time."""
    with asyncio.Runner() as running:
        yield running


@settings(max_examples=10_000)
@given(text=MESSAGES, pages=st.integers(0, 2))
def test_no_generated_reply_acks_the_wrong_page(runner: asyncio.Runner, text: str, pages: int) -> None:
    """In ten thousand messages only a code of the sender's, or a bare word for the only open page, acks."""
    incidents = [an_incident(), second()][:pages]
    engine, replies = night(*incidents)
    engine.incidents[150] = replace(second(), number=150)
    engine.give_code("bo", 150, "M4")
    reply = runner.run(replies.receive(ANA, text))
    mine = {row.code: row.incident for row in engine.codes if row.person == "ana"}
    said = parse_reply(text)
    acked_now = {number for number, incident in engine.incidents.items() if incident.main.owner}
    named = {mine[code] for code in (*said.codes, *said.more) if code in mine}
    if acked_now:
        assert all(engine.incidents[number].main.owner == "ana" for number in acked_now)
        bare = said.text.upper().strip(" .,!;:'\"()[]*#-") in ACK_WORDS and pages == 1
        assert acked_now <= named or bare or (said.meaning is Meaning.ACK_ALL and acked_now == set(mine.values()))
    assert engine.incidents[150].main.owner == ""
    assert reply is None or septets(reply) <= 160
