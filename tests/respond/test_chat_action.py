"""Answers by chat button, against the real state machine."""

from dataclasses import replace

import pytest

from escalatord.core.incident import Incident, TrackState, Via
from escalatord.engine.commands import Answer, Stranger
from escalatord.respond.chat_action import (
    LINK_YOUR_ACCOUNT,
    NOT_A_BUTTON,
    TOO_OLD,
    ChatAction,
    ChatAnswer,
    Click,
    parse_click,
)
from tests.fakes.engine import FakeEngine
from tests.fakes.paging import acked, an_incident, later, resolved

UANA = "UANA"
ROW = "i142-1-ana"


def night(incident: Incident) -> tuple[FakeEngine, ChatAction]:
    """Return an engine a minute into the night with the message that carries the buttons."""
    engine = FakeEngine(incident, now=later(60))
    engine.give_row("ana", 142, "chat")
    return engine, ChatAction(engine)


@pytest.mark.parametrize(
    ("expected", "action", "value"),
    [
        (Click(verb="ack", reference="i1-1-0", epoch=3), "ack", "i1-1-0|3"),
        (Click(verb="snooze", reference="i1-1-0", epoch=3), "more", "snooze|i1-1-0|3"),
        (None, "ack", "snooze|i1-1-0|3"),
        (None, "ack", "i1-1-0"),
        (None, "ack", "|3"),
        (None, "ack", "i1-1-0|"),
        (None, "ack", "i1-1-0|-1"),
        (None, "ack", "i1-1-0|³"),
        (None, "ack", "i1-1-0|99999999999999"),
        (None, "more", "a|b|3|4"),
        (None, "ack", ""),
    ],
)
def test_a_click_is_read_strictly(expected: Click | None, action: str, value: str) -> None:
    """What is not one of our buttons is nothing."""
    assert parse_click(action, value) == expected


@pytest.mark.asyncio
async def test_i_have_it_acks() -> None:
    """The click is an ack by chat, answered to the one who clicked."""
    engine, chat = night(an_incident())
    said = await chat.click(UANA, "ack", f"{ROW}|1")
    text = "OK: you own INC-142 checkout (acked 03:12:14, 1m). Re-pages you at 04:12 if still open."
    assert said == ChatAnswer(text=text, ephemeral=True, incident=142)
    assert engine.incidents[142].main.acked_via is Via.CHAT
    again = await chat.click(UANA, "ack", f"{ROW}|1")
    assert again.text.startswith("INC-142 checkout is already yours")


@pytest.mark.asyncio
@pytest.mark.parametrize("user", ["UNOBODY", ""])
async def test_an_unlinked_account_acks_nothing(user: str) -> None:
    """The one who clicked is told to link it; the click is journaled once an hour."""
    engine, chat = night(an_incident())
    said = [await chat.click(user, "ack", f"{ROW}|1") for _ in range(2)]
    assert {answer.text for answer in said} == {LINK_YOUR_ACCOUNT}
    assert [type(command) for command in engine.commands] == [Stranger]
    engine.clock.at = later(4000)
    await chat.click(user, "ack", f"{ROW}|1")
    assert len(engine.commands) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("expected", "action", "value"),
    [
        (NOT_A_BUTTON, "ack", "nonsense"),
        (NOT_A_BUTTON, "fly", f"{ROW}|1"),
        (NOT_A_BUTTON, "note", f"{ROW}|1"),
        (TOO_OLD, "ack", "i9-9-9|1"),
    ],
)
async def test_what_means_nothing_changes_nothing(expected: str, action: str, value: str) -> None:
    """Unknown buttons and forgotten messages are told so."""
    engine, chat = night(an_incident())
    assert (await chat.click(UANA, action, value)).text == expected
    assert engine.commands == []


@pytest.mark.asyncio
async def test_a_message_whose_incident_or_track_is_gone_is_too_old() -> None:
    """Retention took it."""
    engine, chat = night(an_incident())
    engine.rows[ROW] = replace(engine.rows[ROW], track="gone")
    assert (await chat.click(UANA, "ack", f"{ROW}|1")).text == TOO_OLD
    engine.incidents.clear()
    assert (await chat.click(UANA, "ack", f"{ROW}|1")).text == TOO_OLD


@pytest.mark.asyncio
async def test_page_next_now_passes_on_for_the_one_who_is_paged() -> None:
    """Once: the same button again speaks of an older tier."""
    engine, chat = night(an_incident())
    first = await chat.click(UANA, "next", f"{ROW}|1")
    again = await chat.click(UANA, "next", f"{ROW}|1")
    assert first.text == "OK: INC-142 checkout passed on. Bo is being paged (tier 2)."
    assert again.text == "INC-142 checkout: too late, nothing changed. Bo is being paged (tier 2)."
    assert engine.incidents[142].main.tier == 2


@pytest.mark.asyncio
async def test_page_next_now_is_open_to_a_bystander_too() -> None:
    """Somebody else in the room may page the next tier, recorded as theirs."""
    engine, chat = night(an_incident())
    assert (await chat.click("UCTO", "next", f"{ROW}|1")).text.startswith("OK: INC-142 checkout passed on.")
    assert engine.incidents[142].main.tier == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("verb", ["next", "undo", "snooze"])
async def test_what_somebody_else_has_is_not_taken_away_by_a_button(verb: str) -> None:
    """Their ack stays; the one who clicked is told who has it."""
    engine, chat = night(acked("bo"))
    said = await chat.click(UANA, verb, f"{ROW}|1")
    assert said.text == "INC-142 checkout: too late, nothing changed. Bo has it."
    assert engine.commands == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("incident", "verb", "text", "said"),
    [
        (acked("bo"), "join", "", "OK: you joined INC-142 checkout. Bo owns it."),
        (acked("bo"), "take_over", "", "OK: you own INC-142 checkout (acked 03:12:14, 1m)."),
        (acked("bo"), "ack", "", "INC-142 checkout was acked by Bo at 03:11:58 (call)."),
        (acked("ana"), "undo", "", "OK: INC-142 checkout is open again. Ana is being paged (tier 1)."),
        (acked("ana"), "next", "", "OK: INC-142 checkout passed on. Bo is being paged (tier 2)."),
        (an_incident(), "note", "looks like dns", "OK: noted on INC-142 checkout."),
        (an_incident(), "resolve", "", "OK: INC-142 checkout is closed. Those who were paged are told."),
        (resolved("bo"), "ack", "", "INC-142 checkout is over. Closed by Bo 03:19 (open 8m). No action needed."),
    ],
)
async def test_every_verb_is_answered_with_what_is_true(incident: Incident, verb: str, text: str, said: str) -> None:
    """The text comes from the committed result."""
    engine, chat = night(incident)
    answer = await chat.click(UANA, verb, f"{ROW}|1", text)
    assert answer.text.startswith(said)
    assert [type(command) for command in engine.commands] == [Answer]


@pytest.mark.asyncio
async def test_snooze_hides_behind_more() -> None:
    """The option of the menu carries its verb; it holds for an hour."""
    engine, chat = night(an_incident())
    said = await chat.click(UANA, "more", f"snooze|{ROW}|1")
    assert said.text.endswith("Re-pages you at 04:12 if still open.")
    assert engine.incidents[142].main.state is TrackState.ACKNOWLEDGED
