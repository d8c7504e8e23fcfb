"""Texts for every channel."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.gsm7 import septets
from escalatord.core.incident import Incident, NoticeKind, Reason, Track, TrackState
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Handles, Telling
from escalatord.core.wording import compose
from escalatord.core.wording_speech import MENU, speakable, spoken_duration
from tests.fakes.paging import (
    LINK,
    NAMES,
    OPENED,
    a_track,
    acked,
    an_incident,
    at_last_resort,
    later,
    resolved,
    telling,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
ANSWERABLE = (NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT)
CASE = Handles(code="L4", link=LINK)


def secret_incident() -> Incident:
    """Return a confidential incident full of words that nobody may read on a phone."""
    return an_incident(
        a_track(name="compliance", policy="feed"),
        confidential=True,
        title="SECRET title",
        service="SECRET service",
        summary="SECRET summary",
        source="SECRET source",
        links={"SECRET": "https://SECRET.example.com"},
    )


def muted(by: str = "silence 7 (deploy, by ana)") -> Incident:
    """Return the incident when its last alert was muted."""
    return replace(resolved(), muted_by=by)


def two(**changes: object) -> Telling:
    """Return what Bo is told as tier 2 after Ana's five minutes."""
    return telling(
        an_incident(a_track(2)), **{"person": "bo", "reason": Reason.TIMEOUT, "now": later(300.4), **changes}
    )


def half_told() -> Track:
    """Return a track at tier 2 that was entered because nobody stood in tier 1."""
    return replace(a_track(2), told=(("bo", "sms"),))


PAGED = "CRIT K7 checkout: 5xx rate 8.2% over 5% for 5m (eu-west)."
SMS_TABLE: list[tuple[str, Telling, str]] = [
    ("page", telling(), f"{PAGED} You: tier 1/3, 5m to ack.\nReply K7 to ack, K7N to pass on\n{LINK}"),
    ("tier 2", two(), f"{PAGED} Ana did not ack in 5m; you are tier 2/3, 5m.\nReply K7 to ack\n{LINK}"),
    (
        "passed on",
        two(reason=Reason.PASSED_ON, actor="ana"),
        f"{PAGED} Ana passed it on; you are tier 2/3, 5m.\nReply K7 to ack\n{LINK}",
    ),
    (
        "by hand",
        two(reason=Reason.MANUAL, actor="cto"),
        f"{PAGED} Cleo asked for you; you are tier 2/3, 5m.\nReply K7 to ack\n{LINK}",
    ),
    (
        "nobody on call",
        replace(
            two(reason=Reason.NOBODY_ON_CALL),
            incident=an_incident(half_told(), title="5xx rate 8.2% over 5% for 5m in eu-west"),
        ),
        (
            "CRIT K7 checkout: 5xx rate 8.2% over 5% for 5m i... Nobody was on call before you; you are tier 2/3, 5m."
            f"\nReply K7 to ack\n{LINK}"
        ),
    ),
    (
        "not reached",
        replace(two(reason=Reason.NOT_REACHED), incident=an_incident(half_told(), title="5xx")),
        f"CRIT K7 checkout: 5xx. Nobody before you could be reached; you are tier 2/3, 5m.\nReply K7 to ack\n{LINK}",
    ),
    (
        "worse",
        telling(an_incident(title="5xx"), reason=Reason.SEVERITY_RAISED),
        f"CRIT K7 checkout: 5xx. Now critical; you are tier 1/3, 5m.\nReply K7 to ack, K7N to pass on\n{LINK}",
    ),
    (
        "given back",
        telling(an_incident(title="5xx"), reason=Reason.UNACKNOWLEDGED, actor="bo"),
        f"CRIT K7 checkout: 5xx. Bo gave it back; you are tier 1/3, 5m.\nReply K7 to ack, K7N to pass on\n{LINK}",
    ),
    (
        "late",
        telling(an_incident(title="5xx"), late=True, now=later(2820)),
        f"CRIT K7 checkout: 5xx. LATE, open 47m. You: tier 1/3.\nReply K7 to ack, K7N to pass on\n{LINK}",
    ),
    (
        "reminder",
        telling(an_incident(title="5xx"), NoticeKind.REMIND, now=later(180)),
        f"CRIT K7 checkout: 5xx. Not acked yet: 2m left, then Bo.\nReply K7 to ack, K7N to pass on\n{LINK}",
    ),
    (
        "last resort",
        telling(at_last_resort(), NoticeKind.LAST_RESORT, person="cto", now=later(1200)),
        (
            "K7 checkout: ALL 3 tiers failed to ack in 20m. You are the last resort. 5xx rate 8.2% over 5% for 5m.."
            f"\nReply K7 to ack\n{LINK}"
        ),
    ),
    (
        "ack expiring",
        telling(acked("ana"), NoticeKind.ACK_QUESTION, now=later(3644)),
        "K7 checkout still firing 1h after your ack. Reply K7 to keep it 1h more. No reply in 10m re-pages tier 1.",
    ),
    (
        "somebody was faster",
        telling(acked(), NoticeKind.ACKED, now=later(60)),
        "K7 checkout was acked by Bo at 03:11:58 (call). You are off the hook. Reply K7+ to join.",
    ),
    (
        "taken over",
        telling(acked(), NoticeKind.ACKED, now=later(60), reason=Reason.TAKEN_OVER),
        "K7 checkout was taken over by Bo at 03:11:58 (call). You are off the hook. Reply K7+ to join.",
    ),
    (
        "yours",
        telling(acked("ana"), NoticeKind.ACKED, now=later(60)),
        "OK: you own K7 checkout (acked 03:11:58). Re-pages you at 04:11 if still open. K7U undoes.",
    ),
    (
        "acked and given back meanwhile",
        telling(kind=NoticeKind.ACKED, now=later(60)),
        "K7 checkout. Ana is being paged (tier 1/3).",
    ),
    (
        "called off",
        telling(resolved(), NoticeKind.STAND_DOWN, now=later(480)),
        "STAND DOWN: K7 checkout recovered 03:19 (open 8m). No action needed. Good night.",
    ),
    (
        "closed by hand",
        telling(resolved("bo"), NoticeKind.STAND_DOWN, now=later(480)),
        "STAND DOWN: K7 checkout was closed by Bo 03:19 (open 8m). No action needed. Good night.",
    ),
    (
        "muted",
        telling(muted(), NoticeKind.STAND_DOWN, now=later(480)),
        (
            "STAND DOWN: K7 checkout still fires and is muted since 03:19 (open 8m): silence 7 (deploy, by ana). "
            "No action needed. Good night."
        ),
    ),
    (
        "muted for a reason that takes a page to tell",
        telling(muted(f"silence 7 ({'x' * 300}, by ana)"), NoticeKind.STAND_DOWN, now=later(480)),
        (
            f"STAND DOWN: K7 checkout still fires and is muted since 03:19 (open 8m): silence 7 ({'x' * 44}... "
            "No action needed. Good night."
        ),
    ),
    (
        "update",
        telling(acked(), NoticeKind.UPDATE, now=later(60)),
        f"K7 checkout. Bo has it since 03:11 (call).\n{LINK}",
    ),
    (
        "statutory",
        telling(kind=NoticeKind.STATUTORY, due_at=later(72 * 3600), regime="gdpr", now=later(48 * 3600)),
        f"GDPR clock of K7 checkout: 24h left. 72h clock ends Tue 02:11 CET. Record the decision:\n{LINK}",
    ),
    (
        "statutory, over",
        telling(kind=NoticeKind.STATUTORY, due_at=later(3600), regime="dora", now=later(7200)),
        f"DORA clock of K7 checkout: the period is over. 1h clock ended Sat 04:11 CEST. Record the decision:\n{LINK}",
    ),
    (
        "statutory without a clock",
        telling(kind=NoticeKind.STATUTORY),
        f"Statutory clock of K7 checkout: a decision is due. Record the decision:\n{LINK}",
    ),
    (
        "confidential",
        telling(secret_incident(), handles=CASE, zone="UTC", due_at=later(72 * 3600)),
        f"CONFIDENTIAL case L4 needs you. 72h clock ends Tue 01:11 UTC. No details here. Sign in:\n{LINK}",
    ),
    (
        "confidential question",
        telling(secret_incident(), NoticeKind.ACK_QUESTION, handles=CASE),
        f"CONFIDENTIAL case L4 is still open. Is it still yours? Sign in:\n{LINK}",
    ),
    (
        "confidential, taken",
        telling(secret_incident(), NoticeKind.ACKED, handles=CASE),
        "CONFIDENTIAL case L4 was taken. No action needed.",
    ),
    (
        "confidential, closed",
        telling(secret_incident(), NoticeKind.STAND_DOWN, handles=CASE),
        "CONFIDENTIAL case L4 is closed. No action needed.",
    ),
    (
        "confidential, deadline",
        telling(secret_incident(), NoticeKind.STATUTORY, handles=CASE, due_at=later(1800), now=OPENED),
        f"CONFIDENTIAL case L4: 30m left. 0h clock ends Sat 03:41 CEST. Sign in:\n{LINK}",
    ),
    (
        "no code",
        telling(an_incident(title="5xx"), handles=Handles(link=LINK)),
        f"CRIT INC-142 checkout: 5xx. You: tier 1/3, 5m to ack.\nAck: {LINK}",
    ),
    (
        "no way to answer",
        telling(an_incident(title="5xx"), handles=Handles()),
        "CRIT INC-142 checkout: 5xx. You: tier 1/3, 5m to ack.",
    ),
]


@pytest.mark.parametrize(("told", "expected"), [row[1:] for row in SMS_TABLE], ids=[row[0] for row in SMS_TABLE])
def test_a_text_message_says_exactly_this(told: Telling, expected: str) -> None:
    """Every row of the table of text messages, to the letter, in one segment."""
    text = compose(told, ChannelKind.SMS).text
    assert expected == text
    assert septets(text) <= 160


@given(ANY_TEXT, ANY_TEXT, st.sampled_from(ANSWERABLE), st.sampled_from(Reason), st.integers(1, 3), st.booleans())
def test_any_alert_fits_one_segment_and_keeps_code_verb_and_link(
    title: str, service: str, kind: NoticeKind, reason: Reason, tier: int, late: bool
) -> None:
    """Whatever a monitoring system writes, the reader can answer, and pays for one message."""
    incident = an_incident(a_track(tier), title=title, service=service)
    names = dict.fromkeys(NAMES, "Wolfeschlegelsteinhausenbergerdorff the Elder")
    told = telling(incident, kind, reason=reason, late=late, names=names, person="bo", actor="ana")
    text = compose(told, ChannelKind.SMS).text
    assert septets(text) <= 160
    assert "K7" in text.partition("\n")[0]
    assert "\nReply K7 to ack" in text
    assert text.endswith(f"\n{LINK}")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from(NoticeKind), st.sampled_from(ChannelKind))
def test_every_notice_has_words_in_every_channel(
    title: str, service: str, summary: str, kind: NoticeKind, channel: ChannelKind
) -> None:
    """No pair of notice and channel is missing, and no content breaks one."""
    incident = an_incident(title=title, service=service, summary=summary, source="", links={title: service})
    words = compose(telling(incident, kind), channel)
    assert words.title
    assert words.text
    assert "\n" not in words.title
    assert bool(words.speech) == (channel is ChannelKind.CALL)
    words.text.encode()  # a lone surrogate would break a provider's request
    words.title.encode()


@pytest.mark.parametrize(("kind", "channel"), list(product(NoticeKind, ChannelKind)))
@pytest.mark.parametrize("incident", [secret_incident(), replace(acked(), title="SECRET"), resolved()], ids=str)
def test_a_confidential_case_says_nothing_of_its_alert(
    kind: NoticeKind, channel: ChannelKind, incident: Incident
) -> None:
    """By no channel and in no state does a word of the alert leave: code, clock and sign-in only."""
    hidden = replace(incident, title="SECRET", summary="SECRET", service="SECRET", links={"SECRET": "https://SECRET"})
    told = telling(
        hidden, kind, confidential=True, handles=Handles(code="L4", link=LINK, number=47), due_at=later(9000)
    )
    words = compose(told, channel)
    assert "SECRET" not in f"{words.title}{words.text}{words.speech}".upper()
    assert "L 4" in words.text or "L4" in words.text


@pytest.mark.parametrize("channel", [ChannelKind.SMS, ChannelKind.CHAT, ChannelKind.MAIL])
def test_a_title_cannot_forge_a_line_or_a_code(channel: ChannelKind) -> None:
    """A hostile title stays on its line: what the reader is told to reply is ours."""
    forged = an_incident(title="disk\nReply X2 to ack\r\nhttps://evil.example/", service="a\u202eb\nSubject: x")
    words = compose(telling(forged), channel)
    assert not [line for line in words.text.splitlines() if line.startswith(("Reply X2", "https://evil", "Subject"))]
    assert "\u202e" not in words.text + words.title


SPOKEN = "Checkout. 5xx rate 8.2 percent over 5 percent for 5 minutes eu west."
CALLS: list[tuple[str, Telling, str]] = [
    (
        "first",
        telling(),
        f"Severity critical. {SPOKEN} You are first in line. {MENU}",
    ),
    (
        "second",
        replace(two(), incident=an_incident(a_track(2), title="HighErrorRate: job=\"api\" {pod='x'}")),
        (
            "Severity critical. Checkout. High error rate job equals api pod equals 'x'. You are second in line. "
            f"Nobody before you has it. {MENU}"
        ),
    ),
    ("acked meanwhile", telling(acked(), now=later(104)), "Bo acknowledged this 1 minute ago. Go back to sleep."),
    ("over", telling(resolved(), now=later(500)), "This is over. No action needed. Good night."),
    ("muted", telling(muted(), now=later(500)), "This is muted. No action needed. Good night."),
    (
        "last resort",
        telling(at_last_resort(), NoticeKind.LAST_RESORT, person="cto"),
        f"Severity critical. {SPOKEN} Every tier failed to answer. You are the last resort. {MENU}",
    ),
    (
        "question",
        telling(acked("ana"), NoticeKind.ACK_QUESTION),
        f"{SPOKEN} It still fires after your acknowledgement. Press 4 to keep it. Press 8 to pass it on.",
    ),
    (
        "late, seventh tier",
        telling(an_incident(title="5xx"), tier=7, late=True, now=later(7500)),
        (
            "Severity critical. Checkout. 5xx. This page is late. It is open for 2 hours 5 minutes. "
            f"You are number 7 in line. Nobody before you has it. {MENU}"
        ),
    ),
    (
        "confidential, taken meanwhile",
        telling(replace(acked(), confidential=True), handles=CASE),
        "Confidential case L 4 no longer needs you.",
    ),
    (
        "confidential without a code",
        telling(secret_incident(), handles=Handles()),
        f"A confidential case needs you. Sign in for details. {MENU}",
    ),
]


@pytest.mark.parametrize(("told", "expected"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_a_call_says_exactly_this(told: Telling, expected: str) -> None:
    """What the phone speaks, sentence by sentence."""
    assert expected == compose(told, ChannelKind.CALL).text


@given(ANY_TEXT)
def test_a_call_speaks_only_letters_digits_and_a_point(text: str) -> None:
    """No markup, no label syntax, no address can be spoken into a call."""
    said = speakable(text)
    assert len(said) <= 120
    assert not set(said) & set('<>&{}[]()/\\"=:;_@#\n\r\x00')


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [
        ("0 seconds", -5),
        ("1 second", 1),
        ("59 seconds", 59),
        ("1 minute", 60),
        ("2 minutes", 104),
        ("1 hour", 3600),
        ("2 hours 5 minutes", 7500),
        ("47 hours", 47 * 3600),
        ("3 days", 71 * 3600),
    ],
)
def test_durations_are_spoken_in_words(expected: str, seconds: float) -> None:
    """Nobody has to decode 1h30m by ear."""
    assert expected == spoken_duration(seconds)


CHAT_FIRST_LINES: list[tuple[str, Telling, str]] = [
    ("paged", telling(), "CRITICAL checkout: 5xx rate 8.2% over 5% for 5m (eu-west). Ana is being paged (tier 1/3)."),
    (
        "acked",
        telling(acked()),
        "ACKED checkout: 5xx rate 8.2% over 5% for 5m (eu-west). Bo has it since 03:11 (call).",
    ),
    (
        "last resort",
        telling(at_last_resort()),
        "CRITICAL checkout: 5xx rate 8.2% over 5% for 5m (eu-west). No tier acked. Last resort: Cleo.",
    ),
    (
        "recovered",
        telling(resolved()),
        "RECOVERED checkout: 5xx rate 8.2% over 5% for 5m (eu-west). Recovered 03:19 CEST, open for 8m.",
    ),
    (
        "closed",
        telling(resolved("bo")),
        "CLOSED checkout: 5xx rate 8.2% over 5% for 5m (eu-west). Closed by Bo 03:19 CEST, open for 8m.",
    ),
]


@pytest.mark.parametrize(
    ("told", "expected"), [row[1:] for row in CHAT_FIRST_LINES], ids=[row[0] for row in CHAT_FIRST_LINES]
)
def test_the_first_line_of_a_chat_message_is_the_state_in_a_sentence(told: Telling, expected: str) -> None:
    """One message is edited through its life; its first line is what a lock screen shows."""
    words = compose(replace(told, kind=NoticeKind.UPDATE, person=""), ChannelKind.CHAT)
    assert (expected, expected) == (words.title, words.text.splitlines()[0])


def test_a_chat_message_has_the_facts_and_how_to_answer() -> None:
    """Whole text of a page in chat: who follows, where to look, how to ack."""
    incident = an_incident(
        summary="The payment API answers 5xx.",
        links={"runbook": "https://r.example/x"},
        firing=(0, 0, 0, 3),
        truncated=7,
    )
    expected = [
        "CRITICAL checkout: 5xx rate 8.2% over 5% for 5m (eu-west). Ana is being paged (tier 1/3).",
        "INC-142 · opened 03:11:14 CEST · open for 0s · payments · 3 alerts firing · 7 more cut off by the sender",
        "Next: Bo at 03:16 CEST.",
        "The payment API answers 5xx.",
        "runbook: https://r.example/x",
        f"Ack: {LINK}",
        "Your number is 47: choose it on the page.",
        "Or reply K7 to ack, K7N to pass on.",
    ]
    told = telling(incident, handles=Handles(code="K7", link=LINK, number=47))
    assert expected == compose(told, ChannelKind.CHAT).text.splitlines()


def test_a_room_reads_that_it_is_muted_and_not_that_it_is_over() -> None:
    """In one sentence: since when, for how long it was open, and who muted it."""
    expected = "Muted 03:19 CEST, open for 8m, still firing: silence 7 (deploy, by ana)."
    assert expected in compose(telling(muted(), NoticeKind.STAND_DOWN), ChannelKind.CHAT).title


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("[CRITICAL] checkout: 5xx rate 8.2% over 5% for 5m (eu-west) (INC-142)", telling()),
        (
            "[ACKED by Bo] checkout: 5xx rate 8.2% over 5% for 5m (eu-west) (INC-142)",
            telling(acked(), NoticeKind.ACKED),
        ),
        ("[STAND DOWN] checkout: 5xx (INC-142)", telling(replace(resolved(), title="5xx"), NoticeKind.STAND_DOWN)),
        ("[MUTED] checkout: 5xx (INC-142)", telling(replace(muted(), title="5xx"), NoticeKind.UPDATE)),
        ("[RECOVERED] checkout: 5xx (INC-142)", telling(replace(resolved(), title="5xx"), NoticeKind.UPDATE)),
        ("[DEADLINE] checkout: 5xx (INC-142)", telling(an_incident(title="5xx"), NoticeKind.STATUTORY)),
    ],
)
def test_a_mail_says_in_its_subject_what_is_true(expected: str, told: Telling) -> None:
    """The subject starts with what the reader has to do."""
    assert expected == compose(told, ChannelKind.MAIL).title


def test_a_mail_subject_keeps_the_incident_whatever_the_title() -> None:
    """A title of any length is cut before the incident's name."""
    subject = compose(telling(an_incident(title="x" * 5000)), ChannelKind.MAIL).title
    assert len(subject) <= 200
    assert subject.endswith("(INC-142)")


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ("Ana did not ack in 5m.", two()),
        ("Late: open for 5m already.".replace("open for", "open"), telling(late=True, now=later(300))),
        ("All tiers failed to ack in 20m.", telling(at_last_resort(), NoticeKind.LAST_RESORT, now=later(1200))),
        ("Still waiting for an ack.", telling(kind=NoticeKind.REMIND)),
        (
            "Still firing after your ack. Ack again to keep it 1h more; no answer in 10m pages the tier again.",
            telling(acked("ana"), NoticeKind.ACK_QUESTION),
        ),
        ("Stand down, no action needed. Good night.", telling(resolved(), NoticeKind.STAND_DOWN)),
        ("You are off the hook.", telling(acked(), NoticeKind.ACKED)),
        (
            "GDPR clock: 24h left, it ends Tue 02:11 CET. Record the decision.",
            telling(kind=NoticeKind.STATUTORY, due_at=later(72 * 3600), regime="gdpr", now=later(48 * 3600)),
        ),
        (
            "GDPR clock: the period ended Sat 03:12 CEST. Record the decision.",
            telling(kind=NoticeKind.STATUTORY, due_at=later(60), regime="gdpr", now=later(7200)),
        ),
        ("Statutory clock: a decision is due.", telling(kind=NoticeKind.STATUTORY)),
    ],
)
def test_the_second_line_says_why_the_message_comes_now(expected: str, told: Telling) -> None:
    """A screen shows the state first and the event behind it."""
    assert expected in compose(told, ChannelKind.MAIL).text.splitlines()


def test_a_link_too_long_to_be_whole_is_left_out() -> None:
    """Half an address leads nowhere, and six links are a wall."""
    links = {f"l{place}": f"https://x.example/{place}" for place in range(8)} | {
        "first": "https://x.example/" + "y" * 600
    }
    text = compose(telling(an_incident(links=dict(reversed(links.items())))), ChannelKind.CHAT).text
    assert "yyyy" not in text
    assert text.count("https://x.example/") == 4


def test_a_held_track_that_nobody_dated_is_still_worded() -> None:
    """A snapshot from an older release may lack when and how it was acked."""
    odd = an_incident(replace(a_track(), state=TrackState.ACKNOWLEDGED, owner="bo", acked_at=None))
    assert "K7 checkout" in compose(telling(odd, NoticeKind.ACKED), ChannelKind.SMS).text
    vague = replace(acked().main, acked_via=None)
    text = compose(telling(replace(acked(), tracks=(vague,)), NoticeKind.ACKED), ChannelKind.SMS).text
    assert "(web)" in text
    question = telling(odd, NoticeKind.ACK_QUESTION, handles=Handles(link=LINK), now=OPENED + timedelta(hours=1))
    assert compose(question, ChannelKind.SMS).text.endswith(LINK)


def test_a_chat_message_offers_only_the_ways_there_are() -> None:
    """Without a link the code is offered alone, and the other way round."""
    coded = compose(telling(handles=Handles(code="K7")), ChannelKind.CHAT).text
    linked = compose(telling(handles=Handles(link=LINK)), ChannelKind.MAIL).text
    assert coded.endswith("\nOr reply K7 to ack, K7N to pass on.")
    assert linked.endswith(f"\nAck: {LINK}\n")


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        ("No action needed. Go back to sleep.", NoticeKind.STAND_DOWN),
        ("A statutory deadline is near. Sign in and record the decision.", NoticeKind.STATUTORY),
        (MENU, NoticeKind.UPDATE),
    ],
)
def test_a_call_has_words_even_for_notices_that_never_ring(expected: str, kind: NoticeKind) -> None:
    """A contact plan that sends everything by call still speaks sense."""
    assert expected == compose(telling(kind=kind), ChannelKind.CALL).speech[-1]


def test_a_long_title_is_spoken_up_to_a_word() -> None:
    """A title is cut between words, one endless word anywhere."""
    assert speakable("word " * 50) == ("word " * 24).strip()
    assert len(speakable("x" * 500)) == 120
