"""Answers by phone key, against the real state machine."""

from dataclasses import replace

import pytest

from escalatord.core.events import Ack, PassOn
from escalatord.core.incident import Attempt, Incident, TrackState, Via
from escalatord.core.wording_speech import MENU
from escalatord.engine.commands import Answer, Receipt, Stranger
from escalatord.respond.keypad import Keypad
from tests.fakes.engine import FakeEngine
from tests.fakes.paging import a_track, acked, an_incident, later, resolved

ANA = "+34600000001"


def night(*incidents: Incident) -> tuple[FakeEngine, Keypad]:
    """Return an engine a minute into the night; Ana has a code for each incident."""
    engine = FakeEngine(*incidents, now=later(104))
    for incident in incidents:
        engine.give_code("ana", incident.number)
    return engine, Keypad(engine)


@pytest.mark.asyncio
async def test_4_has_it() -> None:
    """The key acks by call, with the call as evidence, and the call ends."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    spoken = await keypad.key(row, "4")
    assert (spoken.sentences, spoken.hang_up) == (("Thank you. Checkout is yours.", "Goodbye."), True)
    event = Ack(person="ana", via=Via.CALL, track="technical", epoch=1, detail=f"key 4, {row.reference}")
    assert engine.commands == [Answer(incident=142, event=event)]


@pytest.mark.asyncio
async def test_8_passes_it_on_once() -> None:
    """The next tier is entered; the same key again is too late."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    first, again = await keypad.key(row, "8"), await keypad.key(row, "8")
    assert first.sentences == ("Checkout is passed on. Bo is being paged.", "Goodbye.")
    assert again.sentences == ("Too late, nothing changed. Bo is being paged.", "Goodbye.")
    assert engine.incidents[142].main.tier == 2


@pytest.mark.asyncio
async def test_8_in_an_old_call_does_not_pass_on_somebody_elses_tier() -> None:
    """Every call carries the epoch it spoke of."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    engine.pass_on_to(142)
    await keypad.key(row, "8")
    assert engine.incidents[142].main.tier == 2
    assert engine.commands == [
        Answer(incident=142, event=PassOn(person="ana", via=Via.CALL, track="technical", epoch=1))
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("digit", ["0", "1", "2", "3", "5", "6", "7", "*", "#"])
async def test_every_other_key_repeats_the_menu(digit: str) -> None:
    """1 is what mailbox menus and call screening press."""
    engine, keypad = night(an_incident())
    spoken = await keypad.key(engine.give_row("ana", 142), digit)
    assert (spoken.sentences, spoken.hang_up, engine.commands) == ((MENU,), False, [])


@pytest.mark.asyncio
async def test_no_key_ends_the_call_and_says_nothing_of_an_ack() -> None:
    """A gather that ran out is no answer."""
    engine, keypad = night(an_incident())
    spoken = await keypad.key(engine.give_row("ana", 142), "")
    assert (spoken.hang_up, engine.commands) == (True, [])


@pytest.mark.asyncio
async def test_9_says_what_is_true_now() -> None:
    """While it waits, the page again; acked meanwhile, who has it; gone, goodbye."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    assert (await keypad.key(row, "9")).sentences[0] == "Severity critical."
    assert (await keypad.key(row, "9")).hang_up is False
    engine.incidents[142] = acked("bo")
    spoken = await keypad.key(row, "9")
    assert spoken.sentences == ("Bo acknowledged this 1 minute ago. Go back to sleep.",)
    assert spoken.hang_up
    engine.incidents.clear()
    assert (await keypad.greeting(row)).sentences == ("Goodbye.",)


@pytest.mark.asyncio
async def test_the_greeting_of_a_confidential_case_has_its_code_only() -> None:
    """Who overhears the phone learns nothing."""
    secret = an_incident(a_track(name="compliance", policy="feed"), confidential=True, title="SECRET", service="SECRET")
    engine, keypad = night(secret)
    row = engine.give_row("ana", 142)
    assert (await keypad.greeting(row)).sentences[0] == "Confidential case K 7 needs you."
    assert (await keypad.key(row, "4")).sentences[0] == "Thank you. The confidential case is yours."


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("incident", "expected"),
    [
        (acked("bo"), "Bo acknowledged this 1 minute ago. Go back to sleep."),
        (acked("ana"), "It is already yours."),
        (resolved(), "This is over. No action needed."),
        (an_incident(replace(a_track(), state=TrackState.ENDED)), "This is over. No action needed."),
    ],
    ids=["bo has it", "it is yours", "over", "its track is over"],
)
async def test_4_too_late_says_how_things_stand(incident: Incident, expected: str) -> None:
    """A key that changes nothing is answered with the truth."""
    engine, keypad = night(incident)
    assert (await keypad.key(engine.give_row("ana", 142), "4")).sentences == (expected, "Goodbye.")


@pytest.mark.asyncio
async def test_4_after_the_tier_moved_is_late_and_counts() -> None:
    """The caller owns it now, and hears that others were told."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    engine.pass_on_to(142)
    spoken = await keypad.key(row, "4")
    assert spoken.sentences[0] == "It had moved on meanwhile. Checkout is yours now, and the others are told."


@pytest.mark.asyncio
async def test_4_keeps_an_expiring_ack() -> None:
    """The question after the hold can be answered by phone."""
    engine, keypad = night(acked("ana"))
    row = engine.give_row("ana", 142)
    engine.pass_on_to(142)
    assert (await keypad.key(row, "4")).sentences[0] == "Thank you. Checkout stays yours."


@pytest.mark.asyncio
async def test_a_key_for_an_incident_that_is_gone_is_told_so() -> None:
    """Retention may have taken it."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    engine.incidents.clear()
    assert (await keypad.key(row, "4")).sentences == ("This page is no longer known. Goodbye.",)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "seconds", "expected"),
    [
        ("busy", 0, "busy"),
        ("no-answer", 0, "no_answer"),
        ("failed", 0, "unreachable"),
        ("canceled", 0, "undelivered"),
        ("completed", 30, "no_key"),
        ("completed", 4.9, "no_answer"),
        ("voicemail", 30, "no_key"),
        ("something new", 30, "other"),
    ],
)
async def test_a_call_without_a_key_reached_nobody(status: str, seconds: float, expected: str) -> None:
    """Voicemail, dropped, screened, busy: the next contact method starts from this receipt."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    await keypad.hung_up(row, seconds, status, key_pressed=False)
    assert engine.commands == [Receipt(reference=row.reference, status=Attempt.FAILED_PERMANENT, reason=expected)]


@pytest.mark.asyncio
async def test_a_call_with_a_key_reached_somebody() -> None:
    """Even within a second."""
    engine, keypad = night(an_incident())
    row = engine.give_row("ana", 142)
    await keypad.hung_up(row, 1, "completed", key_pressed=True)
    assert engine.commands == [Receipt(reference=row.reference, status=Attempt.DELIVERED)]


# ------------------------------------------------------------------------------------------------ calling back


def second(**changes: object) -> Incident:
    """Return another open incident: db-1, disk full, INC-143."""
    return replace(an_incident(service="db-1", title="disk full", key="other", **changes), number=143)


@pytest.mark.asyncio
async def test_calling_back_says_the_page_and_takes_a_key() -> None:
    """One page is said with the usual menu; 4 acks it."""
    engine, keypad = night(an_incident(title="5xx"))
    spoken = await keypad.called_back(ANA)
    assert spoken is not None
    assert spoken.sentences == ("You have 1 open page.", "K 7. Checkout. 5xx.", MENU)
    done = await keypad.called_back(ANA, "4")
    assert done is not None
    assert (done.sentences, done.hang_up) == (("Thank you. Checkout is yours.", "Goodbye."), True)
    assert engine.incidents[142].main.owner == "ana"


@pytest.mark.asyncio
async def test_calling_back_with_several_pages_says_that_a_key_means_all() -> None:
    """What was said is what is acked: a page that came after the list is left alone."""
    engine, keypad = night(an_incident(), second())
    spoken = await keypad.called_back(ANA)
    assert spoken is not None
    assert spoken.sentences[0] == "You have 2 open pages."
    assert spoken.sentences[-1] == "Press 4 if you have all of these. Press 8 to pass all of these on."
    engine.incidents[150] = replace(second(), number=150)
    engine.give_code("ana", 150)
    await keypad.called_back(ANA, "4")
    assert [engine.incidents[number].main.owner for number in (142, 143, 150)] == ["ana", "ana", ""]


@pytest.mark.asyncio
async def test_8_on_calling_back_passes_on() -> None:
    """The caller can send it to the next tier too."""
    _engine, keypad = night(an_incident())
    await keypad.called_back(ANA)
    spoken = await keypad.called_back(ANA, "8")
    assert spoken is not None
    assert spoken.sentences == ("Checkout is passed on. Bo is being paged.", "Goodbye.")


@pytest.mark.asyncio
async def test_a_key_without_a_list_before_it_is_answered_with_the_list() -> None:
    """After a restart, or a forged sequence, nothing unheard is acked."""
    engine, keypad = night(an_incident())
    spoken = await keypad.called_back(ANA, "4")
    assert spoken is not None
    assert spoken.sentences[0] == "You have 1 open page."
    assert engine.commands == []


@pytest.mark.asyncio
async def test_what_moved_on_between_list_and_key_is_not_touched() -> None:
    """The list was about another tier."""
    engine, keypad = night(an_incident())
    await keypad.called_back(ANA)
    engine.pass_on_to(142)
    spoken = await keypad.called_back(ANA, "8")
    assert spoken is not None
    assert spoken.sentences == ("Nothing waits for you any more. Goodbye.",)
    assert engine.commands == []


@pytest.mark.asyncio
async def test_long_lists_and_confidential_cases_are_spoken_short() -> None:
    """Five at most, the rest counted, and no word of a confidential one."""
    many = [replace(second(), number=200 + place) for place in range(7)]
    secret = replace(second(confidential=True), number=199, title="SECRET", service="SECRET")
    _engine, keypad = night(secret, *many)
    spoken = await keypad.called_back(ANA)
    assert spoken is not None
    assert spoken.sentences[0] == "You have 8 open pages."
    assert len(spoken.sentences) == 7
    assert spoken.sentences[-1].endswith("3 more wait after these.")
    assert "secret" not in " ".join(spoken.sentences).lower()


@pytest.mark.asyncio
async def test_nothing_open_and_nobody_known() -> None:
    """A colleague without pages is told so; a stranger's call is rejected and journaled."""
    engine, keypad = night(resolved())
    spoken = await keypad.called_back(ANA)
    assert spoken is not None
    assert (spoken.sentences, spoken.hang_up) == (("No page waits for you. Goodbye.",), True)
    assert await keypad.called_back("+15550100999") is None
    said = "a call from somebody unknown, not answered"
    assert engine.commands == [Stranger(via=Via.CALL, who="…99", say=said)]
