"""What is said of acks that are not enough yet, and to those who share an incident: one segment, and true."""

import pytest

from escalatord.core.gsm7 import septets
from escalatord.core.incident import Incident, NoticeKind, Page, Reason
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import acks_so_far, paged_now, what_became, why_you
from escalatord.core.values import replace
from escalatord.core.wording import compose
from escalatord.engine.commands import Answered
from escalatord.respond.keypad import outcome_sentences
from escalatord.respond.reply_text import heard, outcome_text, standing_text
from tests.fakes.paging import NAMES, OPENED, a_track, acked, an_incident, later, telling, the_ruleset

TWO = tuple(Page(person=who, tier=1, target=f"person {who}", at=OPENED) for who in ("ana", "bo"))


def counted(*acks: str, **changes: object) -> Incident:
    """Return the incident of a tier that pages Ana and Bo and needs both, with these acks."""
    return an_incident(replace(a_track(), pages=TWO, need=2, acks=acks, **changes))


def reply(incident: Incident, person: str = "ana", reason: Reason = Reason.ACK_COUNTED):
    """Return an answer of somebody and what it came to."""
    answered = Answered(incident=incident, before=incident, reason=reason, at=later(20))
    return heard(the_ruleset(), answered, person, "technical", "K7")


def test_an_ack_that_counts_is_told_with_how_many_are_needed():
    """And who is being paged for the rest."""
    text = outcome_text(reply(counted("ana")))
    assert text == "OK: your ack of K7 checkout counts, 1 of 2 needed. Bo is still being paged. K7U undoes."
    assert septets(text) <= 160
    assert standing_text(reply(counted("ana"))) == text


def test_the_longest_names_do_not_push_the_figures_out():
    """What is cut is who is paged, never the code or the count."""
    names = {person: replace(the_ruleset().people[person], name="Bartholomew-Maximilian") for person in NAMES}
    ruleset = replace(the_ruleset(), people=names)
    incident = replace(counted("ana"), service="x" * 200)
    answered = Answered(incident=incident, before=incident, reason=Reason.ACK_COUNTED, at=later(20))
    text = outcome_text(heard(ruleset, answered, "ana", "technical", "K7"))
    assert septets(text) <= 160
    assert "1 of 2 needed" in text


def test_the_phone_says_it_too():
    """Key 4 was right, and it is not over."""
    said = " ".join(outcome_sentences(reply(counted("ana"))))
    assert said == "Thank you. Checkout: 1 of 2 have it. Bo is being paged. Goodbye."


def test_who_asks_how_it_stands_hears_who_is_waited_for():
    """The one who has acked is not among those being paged."""
    incident = counted("ana")
    assert paged_now(incident.main) == ("bo",)
    assert acks_so_far(NAMES, incident.main) == "Ana has acked, 1 of 2 needed."
    told = telling(incident, person="bo")
    assert what_became(told) == "Ana has acked, 1 of 2 needed. Bo is being paged (tier 1/3)."
    assert acks_so_far(NAMES, replace(incident.main, acks=("ana", "bo"))) == "Ana and Bo have acked, 2 of 2 needed."


def test_the_next_tier_hears_who_helps_already():
    """Not that somebody who did answer did not."""
    track = replace(a_track(2), helping=("ana",), told=(("ana", "sms"), ("bo", "sms"), ("cy", "sms")))
    told = telling(an_incident(track), person="cy", tier=2)
    assert why_you(replace(told, now=later(300))) == "Only Ana acked in 5m"
    assert "Ana" not in why_you(replace(told, person="ana", now=later(300)))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ChannelKind.SMS, "OK: you own K7 checkout with Bo (acked 03:11:58)"),
        (ChannelKind.MAIL, "Enough have acked; you are one of them."),
        (ChannelKind.CALL, "Enough have acknowledged it. You are one of them."),
    ],
)
def test_the_owner_hears_that_there_are_enough(kind, said):
    """By whatever way; nobody who has it is told to sleep."""
    incident = acked(by="ana", track=replace(a_track(), need=2, acks=("ana", "bo"), pages=TWO))
    words = compose(telling(incident, NoticeKind.ACKED, person="ana"), kind)
    whole = f"{words.text} {' '.join(words.speech)}"
    assert said in whole
    assert "off the hook" not in whole


def test_a_second_acker_hears_whose_it_is():
    """Bo acked too: he has it with Ana."""
    incident = acked(by="ana", track=replace(a_track(), need=2, acks=("ana", "bo"), pages=TWO))
    words = compose(telling(incident, NoticeKind.ACKED, person="bo"), ChannelKind.SMS)
    assert words.text == "K7 checkout has enough acks at 03:11:58: you and Ana have it, Ana owns it."


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.CALL])
def test_of_a_confidential_case_nothing_more_is_said(kind):
    """That there are enough, and that one is among them."""
    incident = replace(acked(by="ana", track=replace(a_track(), acks=("ana", "bo"), pages=TWO)), confidential=True)
    words = compose(telling(incident, NoticeKind.ACKED, person="bo", confidential=True), kind)
    whole = f"{words.text} {' '.join(words.speech)}"
    assert "ou are one of them" in whole
    assert "checkout" not in whole.casefold()


def test_the_one_who_makes_it_enough_hears_whose_it_is():
    """By text and by phone: Bo's ack was the second of two, and Ana owns it."""
    incident = acked(by="ana", track=replace(a_track(), need=2, acks=("ana", "bo"), pages=TWO))
    for reason in (Reason.ACKNOWLEDGED, Reason.ACKNOWLEDGED_LATE):
        told = reply(incident, "bo", reason)
        assert outcome_text(told) == "OK: K7 checkout: 2 acks are enough. You have it with Ana; Ana owns it."
        assert outcome_sentences(told)[0] == "Thank you. Checkout: enough have it now, and Ana owns it."
