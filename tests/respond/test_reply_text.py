"""What is answered to a human."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.events import Note
from escalatord.core.gsm7 import septets
from escalatord.core.incident import Incident, Reason, State, TrackState, Via
from escalatord.engine.commands import Answered, Command, Result
from escalatord.respond import answer
from escalatord.respond.callers import CodedPage, masked, plain_number
from escalatord.respond.reply_text import (
    Heard,
    help_text,
    list_text,
    outcome_text,
    several_text,
    standing_text,
    unclear_text,
    unknown_code_text,
    which_text,
)
from tests.fakes.engine import FakeEngine
from tests.fakes.paging import NAMES, a_track, acked, an_incident, at_last_resort, later, resolved

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)
STATES = [
    an_incident(),
    an_incident(a_track(2)),
    an_incident(replace(a_track(), pages=())),
    an_incident(replace(a_track(), pages=(*a_track().pages, *a_track(2).pages))),
    an_incident(replace(a_track(), state=TrackState.ENDED)),
    an_incident(replace(a_track(), entered_at=None), timers=()),
    acked("ana"),
    acked("bo"),
    replace(acked("bo"), timers=()),
    at_last_resort(),
    resolved(),
    resolved("bo"),
    replace(resolved(), state=State.RESOLVED, resolved_at=None),
]


def result(reason: Reason, incident: Incident | None, before: Incident | None = None, **changes: object) -> Heard:
    """Return an answer of Ana's with code K7 that came to `reason`."""
    answered = Answered(incident=incident, before=before, reason=reason, at=later(87))
    told = Heard(answered=answered, person="ana", track="technical", code="K7", zone="Europe/Madrid", names=NAMES)
    return replace(told, **changes)  # type: ignore[arg-type]  # a test names the fields it wants different


@given(
    st.sampled_from(Reason),
    st.sampled_from(STATES),
    st.sampled_from([*STATES, None]),
    ANY_TEXT,
    ANY_TEXT,
    st.booleans(),
)
def test_every_reason_in_every_state_is_answered_in_one_segment(
    reason: Reason, incident: Incident, before: Incident | None, service: str, name: str, confidential: bool
) -> None:
    """No pair of reason and state is missing, whatever the names; the code is always named."""
    told = result(reason, replace(incident, service=service, confidential=confidential), before)
    told = replace(told, names=dict.fromkeys(NAMES, name))
    for text in (outcome_text(told), standing_text(told), several_text([told] * 20, 3)):
        assert septets(text) <= 160
    assert "K7" in outcome_text(told)


@given(ANY_TEXT, ANY_TEXT, st.integers(0, 30))
def test_every_question_fits_one_segment(said: str, service: str, count: int) -> None:
    """However many pages are open and whatever they are called."""
    incident = an_incident(service=service, title=service)
    pages = [CodedPage(person="ana", code="K77", incident=incident, track=incident.main) for _ in range(count)]
    texts = [unclear_text(said, pages), help_text(pages), unknown_code_text("M4", pages)]
    if pages:
        texts += [which_text(pages), list_text(pages[0], [said] * 4, 1000)]
    assert max(map(septets, texts)) <= 160


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("That page is not known here any more. Nothing changed.", result(Reason.NO_INCIDENT, None)),
        (
            "K7 checkout has a statutory clock: sign in and write down the decision to close it.",
            result(Reason.RESOLVE_NEEDS_DECISION, an_incident()),
        ),
        (
            "OK: you own K7 checkout (acked 03:11:58, 44s). Re-pages you at 04:11 if still open. K7U undoes.",
            result(Reason.ACKNOWLEDGED_LATE, acked("ana"), None),
        ),
        (
            (
                "K7 checkout moved to Cleo (the last resort) at 03:31 before your reply 03:12. "
                "Cleo has not acked. You now own K7; Cleo was told."
            ),
            result(Reason.ACKNOWLEDGED_LATE, acked("ana"), at_last_resort()),
        ),
        (
            "OK: you keep K7 checkout. K7U gives it back.",
            result(Reason.ACK_EXTENDED, replace(acked("ana"), timers=())),
        ),
        (
            "K7 checkout is not acked. No tier is left: the last resort (Cleo) is being paged. Reply K7 to ack.",
            result(Reason.DUPLICATE, at_last_resort()),
        ),
        (
            "K7 checkout is over. Closed by Bo 03:19 (open 8m). No action needed.",
            result(Reason.ALREADY_RESOLVED, resolved("bo")),
        ),
    ],
)
def test_an_outcome_is_worded_like_this(expected: str, told: Heard) -> None:
    """Cases that no scenario of the other tests reaches, to the letter."""
    assert outcome_text(told) == expected


def test_a_hold_of_days_is_dated() -> None:
    """`until 03:12` would be taken for today's."""
    far = replace(acked("ana"), timers=(replace(acked("ana").timers[0], at=later(26 * 3600)),))
    assert outcome_text(result(Reason.ACK_EXTENDED, far)) == (
        "OK: you keep K7 checkout until Sun 25 Oct 04:11. K7U gives it back."
    )


def test_a_page_that_is_gone_has_no_standing() -> None:
    """Retention may take an incident between question and answer."""
    assert standing_text(result(Reason.NO_INCIDENT, None)) == "That page is not known here any more."
    assert several_text([result(Reason.NO_INCIDENT, None)]).startswith("Nothing acked. Not yours: K7")


@pytest.mark.parametrize(
    ("expected", "number"),
    [("+34600000001", "+34 600 000 001"), ("+34600000001", "tel:+34-600-000-001"), ("", "anonymous"), ("", "")],
)
def test_numbers_are_compared_by_their_digits(expected: str, number: str) -> None:
    """A provider's spelling does not make a stranger."""
    assert plain_number(number) == expected


def test_an_address_is_written_down_by_its_end() -> None:
    """Two characters, none of a shorter one."""
    assert [masked("+34600000021"), masked("12"), masked("")] == ["…21", "…", "…"]


class OddEngine(FakeEngine):
    """An engine that forgets what an answer is answered with."""

    async def submit(self, command: Command) -> Result:
        """Return nothing."""


@pytest.mark.asyncio
async def test_an_answer_must_be_answered() -> None:
    """A broken engine is found at the seam, not in a sentence to a human."""
    with pytest.raises(TypeError, match="answered with NoneType"):
        await answer(OddEngine(), 142, Note(person="ana", via=Via.SMS, text="x"))
