"""The model of the ack page, against the real state machine."""

import asyncio
from dataclasses import replace

import pytest

from escalatord.core.events import Ack, Note, PassOn, Snooze
from escalatord.core.incident import Cause, Incident, TrackState, Via
from escalatord.core.tokens import numbers, right_number, token_hash
from escalatord.engine.commands import Answer, Command, Result
from escalatord.errors import StoreUnavailableError
from escalatord.respond.link import ACTIONS, LinkAction, Links, LinkState, LinkView
from tests.fakes.engine import KEY, FakeEngine
from tests.fakes.paging import a_track, acked, an_incident, at_last_resort, later, resolved


def night(incident: Incident, *, long: bool = False) -> tuple[FakeEngine, Links, str]:
    """Return an engine a minute into the night, the pages, and Ana's token."""
    engine = FakeEngine(incident, now=later(60))
    engine.give_code("ana", 142)
    return engine, Links(engine, KEY), engine.give_link("ana", 142, long=long)


def events(engine: FakeEngine) -> list[object]:
    """Return what was said to incidents."""
    return [command.event for command in engine.commands if isinstance(command, Answer)]


@pytest.mark.asyncio
async def test_a_page_shows_who_what_since_and_who_is_next() -> None:
    """Everything somebody needs at three in the morning, in their own zone."""
    engine, links, token = night(an_incident(links={"runbook": "https://r.example"}))
    view = await links.look(token)
    expected = LinkView(
        state=LinkState.NOT_ACKED,
        label="INC-142",
        code="K7",
        reader="Ana Ruiz",
        severity="critical",
        service="checkout",
        title="5xx rate 8.2% over 5% for 5m (eu-west)",
        since="03:11:14 CEST",
        open_for="1m",
        who="Ana is being paged (tier 1/3).",
        next="Next: Bo at 03:16 CEST.",
        tier=1,
        nonce=view.nonce,
        actions=(LinkAction.ACK, LinkAction.PASS_ON, LinkAction.SNOOZE),
        links={"runbook": "https://r.example"},
    )
    assert view == expected
    assert engine.commands == []


def moved_on() -> Incident:
    """Return the incident at tier 2, Ana no longer paged."""
    return an_incident(a_track(2))


STATES: list[tuple[str, Incident, float, LinkState]] = [
    ("not acked", an_incident(), 60, LinkState.NOT_ACKED),
    ("yours", acked("ana"), 60, LinkState.YOURS),
    ("someone else", acked("bo"), 60, LinkState.SOMEONE_ELSE),
    ("moved on", moved_on(), 310, LinkState.MOVED_ON),
    ("last resort", at_last_resort(), 1300, LinkState.MOVED_ON),
    ("over", resolved(), 480 + 86399, LinkState.OVER),
    ("old", resolved(), 480 + 86400, LinkState.OLD),
    ("its track is over", an_incident(replace(a_track(), state=TrackState.ENDED)), 60, LinkState.OVER),
    ("confidential", an_incident(confidential=True), 60, LinkState.CONFIDENTIAL),
    ("confidential and over", replace(resolved(), confidential=True), 500, LinkState.CONFIDENTIAL),
    ("confidential and old", replace(resolved(), confidential=True), 99999, LinkState.OLD),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("incident", "at", "state"), [row[1:] for row in STATES], ids=[row[0] for row in STATES])
async def test_every_state_of_an_incident_has_its_page(incident: Incident, at: float, state: LinkState) -> None:
    """What a link shows depends on what is true now, and offers only what makes sense then."""
    engine, links, token = night(incident)
    engine.clock.at = later(at)
    view = await links.look(token)
    assert (view.state, view.actions, bool(view.nonce)) == (state, ACTIONS.get(state, ()), state in ACTIONS)


@pytest.mark.asyncio
async def test_unknown_and_old_links_tell_nothing() -> None:
    """No token gives away whether, or what, it ever opened."""
    engine, links, token = night(resolved())
    engine.clock.at = later(99999)
    assert await links.look(token) == LinkView(state=LinkState.OLD)
    assert await links.look("0000000000000") == LinkView(state=LinkState.UNKNOWN)
    assert await links.act("0000000000000", "ack", "x") == LinkView(state=LinkState.UNKNOWN)
    engine.incidents.clear()
    assert await links.look(token) == LinkView(state=LinkState.UNKNOWN)


@pytest.mark.asyncio
async def test_a_confidential_case_shows_its_code_and_nothing_else() -> None:
    """The rest is behind a login, and the link acts on nothing."""
    engine, links, token = night(an_incident(confidential=True, title="SECRET"))
    expected = LinkView(state=LinkState.CONFIDENTIAL, code="K7")
    assert (await links.look(token), await links.act(token, "ack", "x"), engine.commands) == (expected, expected, [])


@pytest.mark.asyncio
async def test_ack_then_undo() -> None:
    """One press owns it, for half a minute another gives it back."""
    engine, links, token = night(an_incident())
    view = await links.act(token, "ack", (await links.look(token)).nonce)
    assert (view.state, view.undo_until) == (LinkState.YOURS, later(90))
    assert view.said == "OK: you own INC-142 checkout (acked 03:12:14, 1m). Re-pages you at 04:12 if still open."
    assert view.who == "Ana has it since 03:12 (link)."
    assert events(engine) == [Ack(person="ana", via=Via.LINK, track="technical", epoch=1, detail="link by sms")]
    engine.clock.at = later(90)
    assert (await links.look(token)).undo_until is None
    view = await links.act(token, "undo", view.nonce)
    assert (view.state, view.said) == (
        LinkState.NOT_ACKED,
        "OK: INC-142 checkout is open again. Ana is being paged (tier 1).",
    )


@pytest.mark.asyncio
async def test_a_nonce_acts_once() -> None:
    """A replayed form says so, and changes nothing."""
    engine, links, token = night(an_incident())
    nonce = (await links.look(token)).nonce
    await links.act(token, "ack", nonce)
    view = await links.act(token, "undo", nonce)
    assert (view.said, view.state, len(events(engine))) == ("Already done.", LinkState.YOURS, 1)


class SlowEngine(FakeEngine):
    """An engine that takes a turn of the loop to commit."""

    async def submit(self, command: Command) -> Result:
        """Let others run first."""
        await asyncio.sleep(0)
        return await super().submit(command)


@pytest.mark.asyncio
async def test_a_double_tap_is_one_answer() -> None:
    """The second request finds the nonce used while the first is still being committed."""
    engine = SlowEngine(an_incident(), now=later(60))
    links, token = Links(engine, KEY), engine.give_link("ana", 142)
    nonce = (await links.look(token)).nonce
    views = await asyncio.gather(links.act(token, "pass_on", nonce), links.act(token, "pass_on", nonce))
    assert sorted(view.said for view in views) == [
        "Already done.",
        "OK: INC-142 checkout passed on. Bo is being paged (tier 2).",
    ]
    assert len(events(engine)) == 1


@pytest.mark.asyncio
async def test_an_answer_that_was_not_committed_may_be_sent_again() -> None:
    """With the store away nothing is used up."""
    engine, links, token = night(an_incident())
    nonce = (await links.look(token)).nonce
    submit = engine.submit

    async def refuse(command: Command) -> Result:
        raise StoreUnavailableError("full")

    engine.submit = refuse  # type: ignore[method-assign]  # reading works, writing does not
    with pytest.raises(StoreUnavailableError):
        await links.act(token, "ack", nonce)
    engine.submit = submit  # type: ignore[method-assign]  # the store is back
    assert (await links.act(token, "ack", nonce)).state is LinkState.YOURS


@pytest.mark.asyncio
@pytest.mark.parametrize("forge", ["", "x", "x" * 600, "other link", "another key", "a day old", "not a list"])
async def test_a_nonce_that_is_not_this_pages_changes_nothing(forge: str) -> None:
    """Made up, for another link, signed by somebody else, or too old."""
    engine, links, token = night(an_incident())
    nonce = forge
    if forge == "other link":
        nonce = (await links.look(engine.give_link("bo", 142))).nonce
    if forge == "another key":
        nonce = (await Links(engine, b"z" * 32).look(token)).nonce
    if forge == "a day old":
        nonce = (await links.look(token)).nonce
        engine.incidents[142] = an_incident(timers=())
        engine.clock.at = later(60 + 86401)
    if forge == "not a list":
        nonce = str(links._signer.dumps({"a": 1}))
    view = await links.act(token, "ack", nonce)
    assert view.said == "This page was out of date. Nothing changed, choose again."
    assert engine.commands == []


@pytest.mark.asyncio
async def test_a_page_left_open_does_not_pass_on_somebody_elses_tier() -> None:
    """The page carries the epoch that it showed, and offers less once the tier moved."""
    engine, links, token = night(an_incident())
    nonce = (await links.look(token)).nonce
    engine.pass_on_to(142)
    view = await links.act(token, "pass_on", nonce)
    assert view.said == "INC-142 checkout: too late, nothing changed. Bo is being paged (tier 2)."
    assert (view.state, engine.commands) == (LinkState.MOVED_ON, [])
    late = await links.act(token, "ack", nonce)
    assert late.state is LinkState.YOURS
    assert late.said.startswith("INC-142 checkout moved to Bo (tier 2) at 03:16 before your reply")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("incident", "action", "detail", "event", "said"),
    [
        (
            an_incident(),
            "pass_on",
            "",
            PassOn(person="ana", via=Via.LINK, track="technical", epoch=1),
            "OK: INC-142 checkout passed on. Bo is being paged (tier 2).",
        ),
        (
            an_incident(),
            "snooze",
            "30m",
            Snooze(person="ana", via=Via.LINK, seconds=1800, track="technical"),
            "OK: you own INC-142 checkout (acked 03:12:14, 1m). Re-pages you at 03:42 if still open.",
        ),
        (
            an_incident(cause=Cause.EXCEPTION),
            "snooze",
            "soon",
            Snooze(person="ana", via=Via.LINK, seconds=3600, track="technical"),
            "INC-142 checkout cannot be snoozed. Ana is being paged (tier 1).",
        ),
        (
            acked("bo"),
            "join",
            "",
            Ack(person="ana", via=Via.LINK, track="technical", epoch=1, join=True),
            "OK: you joined INC-142 checkout. Bo owns it.",
        ),
        (
            acked("bo"),
            "take_over",
            "",
            Ack(person="ana", via=Via.LINK, track="technical", epoch=1, take_over=True),
            "OK: you own INC-142 checkout (acked 03:12:14, 1m). Re-pages you at 04:12 if still open.",
        ),
        (
            acked("ana"),
            "note",
            " ETA 5 min ",
            Note(person="ana", via=Via.LINK, text="ETA 5 min"),
            "OK: noted on INC-142 checkout.",
        ),
    ],
    ids=["pass on", "snooze", "snooze refused", "join", "take over", "note"],
)
async def test_every_button_does_what_it_says(
    incident: Incident, action: str, detail: str, event: object, said: str
) -> None:
    """A button is one event, and its answer is what that came to."""
    engine, links, token = night(incident)
    view = await links.act(token, action, (await links.look(token)).nonce, detail=detail)
    assert (events(engine), view.said) == ([event], said)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("incident", "action"),
    [
        (acked("bo"), "ack"),
        (acked("bo"), "snooze"),
        (acked("ana"), "take_over"),
        (acked("ana"), "note"),
        (an_incident(), "fly"),
    ],
    ids=["ack of Bo's", "snooze of Bo's", "take over one's own", "note without words", "no such button"],
)
async def test_a_button_that_the_page_does_not_offer_changes_nothing(incident: Incident, action: str) -> None:
    """A form made by hand is answered with how things stand."""
    engine, links, token = night(incident)
    view = await links.act(token, action, (await links.look(token)).nonce)
    assert (engine.commands, view.said != "") == ([], True)


# -------------------------------------------------------------------------------------------- number matching


@pytest.mark.asyncio
async def test_a_link_from_a_mail_needs_the_number_of_its_message() -> None:
    """Three buttons, the right one acks; afterwards the page needs no number."""
    engine, links, token = night(an_incident(), long=True)
    view = await links.look(token)
    assert view.numbers == numbers(token)
    view = await links.act(token, "ack", view.nonce, right_number(token))
    assert (view.state, view.numbers) == (LinkState.YOURS, ())
    view = await links.act(token, "undo", view.nonce)
    assert (view.state, len(events(engine))) == (LinkState.NOT_ACKED, 2)
    assert (await links.look(token)).numbers == numbers(token)


@pytest.mark.asyncio
async def test_no_number_is_asked_for_again() -> None:
    """A form without a number is no wrong choice."""
    engine, links, token = night(an_incident(), long=True)
    view = await links.act(token, "ack", (await links.look(token)).nonce)
    assert (view.state, engine.commands) == (LinkState.NOT_ACKED, [])
    assert view.said == "Choose the number that your message shows. Nothing changed."


@pytest.mark.asyncio
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0,), (2,)], ids=["in order", "backwards", "first", "last"])
async def test_a_scanner_that_presses_buttons_acks_nothing(order: tuple[int, ...]) -> None:
    """Its first press is a wrong number, which burns the link for good; the human is told how else to answer."""
    engine, links, token = night(an_incident(), long=True)
    for place in order:
        view = await links.look(token)
        view = await links.act(token, "ack", view.nonce, numbers(token)[place])
    assert (view.state, engine.commands) == (LinkState.BURNED, [])
    assert (view.nonce, view.actions, view.code) == ("", (), "K7")
    again = await links.act(token, "ack", "x", right_number(token))
    assert (again.state, engine.commands) == (LinkState.BURNED, [])


@pytest.mark.asyncio
async def test_more_than_five_tries_a_minute_wait() -> None:
    """A link cannot be hammered; a minute later it works again."""
    engine, links, token = night(an_incident())
    views = [await links.act(token, "ack", "x") for _ in range(7)]
    assert [view.limited for view in views] == [False] * 5 + [True] * 2
    assert (await links.act(token, "ack", (await links.look(token)).nonce)).limited
    assert engine.commands == []
    engine.clock.at = later(121)
    assert (await links.act(token, "ack", (await links.look(token)).nonce)).state is LinkState.YOURS


@pytest.mark.asyncio
async def test_an_incident_that_vanishes_while_it_is_answered_is_unknown() -> None:
    """Retention never makes a page fail."""
    engine, links, token = night(an_incident())
    nonce = (await links.look(token)).nonce
    submit = engine.submit

    async def vanish(command: Command) -> Result:
        result = await submit(command)
        engine.links.pop(token_hash(token))
        return result

    engine.submit = vanish  # type: ignore[method-assign]  # the row goes between two reads
    assert await links.act(token, "ack", nonce) == LinkView(state=LinkState.UNKNOWN)


@pytest.mark.asyncio
async def test_a_reader_who_left_the_roster_still_sees_the_page() -> None:
    """A link outlives a change of the people file."""
    engine, links, token = night(an_incident())
    people = {who: person for who, person in engine.ruleset.people.items() if who != "ana"}
    engine.ruleset = replace(engine.ruleset, people=people)
    view = await links.look(token)
    assert (view.reader, view.since) == ("", "01:11:14 UTC")
