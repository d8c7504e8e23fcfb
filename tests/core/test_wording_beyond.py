"""The words for milestones, held pages, handovers and stale incidents: exact, one segment each, and never a lie."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.events import Ack, Mitigated, Note, Notify, TimersDue
from escalatord.core.gsm7 import SEPTETS_MAX, septets
from escalatord.core.incident import NoticeKind, Reason, Via
from escalatord.core.policy import Milestones, OfficeHours, Target, TargetKind
from escalatord.core.roster import ChannelKind
from escalatord.core.schedule import Override, Schedule
from escalatord.core.telling import Handles, tell, why_you
from escalatord.core.wording import compose
from tests.fakes.world import OFFICE, T0, at, at_work, fired, ladder, run, tier

WEB = Via.WEB
DUE = TimersDue()
LINK = "https://esc.example.com/a/7QF3M9TX2B4KP"
K7 = Handles(code="K7", link=LINK)
POLICY = ladder(
    replace(tier("ana", within=600), page=(Target(TargetKind.ONCALL, "first"),)),
    tier("bo", within=600),
    milestones=Milestones(mitigate_by_seconds=7200, update_every_seconds=1800, resolve_by_seconds=28800),
    ack_hold_seconds=dict.fromkeys(Severity, 30 * 86400.0),
)
FIRST = Schedule(
    name="first",
    timezone="UTC",
    layers=(),
    overrides=(Override(schedule="first", person="ana", start=T0, end=at(1200)),),
    when_empty=("cy",),
)


def world(policy=POLICY):
    """Return the world with a schedule that Cy takes over from Ana after twenty hours."""
    known = at_work(policy)
    return replace(known, ruleset=replace(known.ruleset, schedules={"first": FIRST}))


WORLD = world()


def held(policy=POLICY, **changes):
    """Return an incident that Ana has had since a minute after T0."""
    opened = run(None, (fired(policies=(policy,), **changes), T0), world=world(policy)).incident
    return run(opened, (Ack(person="ana", via=WEB, track="main"), at(1)), world=world(policy)).incident


def said(outcome, person, kind=ChannelKind.SMS, handles=K7, now=None, known=WORLD):
    """Return the words of the first message of an outcome for somebody."""
    notify = next(e for e in outcome.effects if isinstance(e, Notify) and e.person == person)
    return compose(tell(notify, outcome.incident, known, now or outcome.now, handles), kind)


class Seen:
    """An outcome and its instant."""

    def __init__(self, incident, event, now, known=WORLD):
        outcome = run(incident, (event, now), world=known)
        self.incident, self.effects, self.now = outcome.incident, outcome.effects, now


def until(incident, minutes, known=WORLD):
    """Return what happens at an instant, all that came before having happened in its time."""
    while incident.next_due_at < at(minutes):
        incident = run(incident, (DUE, incident.next_due_at), world=known).incident
    return Seen(incident, DUE, at(minutes), known)


def moments():
    """Return what is told when: name → (outcome, person)."""
    incident = held()
    silent = until(incident, 31)
    twice = until(silent.incident, 61)
    updated = Seen(twice.incident, Note(person="ana", via=WEB, text="rolling back"), at(62))
    quiet = replace(POLICY, hash="q", milestones=Milestones(mitigate_by_seconds=7200, resolve_by_seconds=28800))
    late = until(held(quiet), 120, world(quiet))
    mended = Seen(late.incident, Mitigated(person="ana", via=WEB), at(125), world(quiet))
    over = until(mended.incident, 480, world(quiet))
    shift = until(mended.incident, 1200, world(quiet))
    return {
        "silent": (silent, "ana"),
        "twice": (twice, "ana"),
        "silence told": (twice, "bo"),
        "updated": (updated, "bo"),
        "not mitigated": (late, "ana"),
        "not mitigated, told": (late, "bo"),
        "mitigated": (mended, "bo"),
        "not resolved": (over, "ana"),
        "not resolved, told": (over, "cto"),
        "handover": (shift, "cy"),
    }


MOMENTS = moments()
QUIET = world(replace(POLICY, hash="q", milestones=Milestones(mitigate_by_seconds=7200, resolve_by_seconds=28800)))


def words(moment, kind=ChannelKind.SMS, handles=K7):
    """Return the words of a moment."""
    outcome, person = MOMENTS[moment]
    known = replace(QUIET, policies={**QUIET.policies, POLICY.hash: POLICY})
    return said(outcome, person, kind, handles, known=known)


SMS = {
    "silent": f"K7 checkout is yours: an update is due. Reply K7 and a few words, or K7M once mitigated.\n{LINK}",
    "twice": (
        "K7 checkout is yours: an update is due. The next tier is told. "
        f"Reply K7 and a few words, or K7M once mitigated.\n{LINK}"
    ),
    "silence told": (
        "ERR K7 checkout: 5xx rate 8.2%. Ana has it, and gives no update; you are tier 2/2, 10m."
        f"\nReply K7 to ack\n{LINK}"
    ),
    "updated": "K7 checkout: Ana gave an update. You are off the hook.",
    "not mitigated": (
        "K7 checkout is yours and not mitigated in 2h: the next tier is told."
        f" Reply K7 and a few words, or K7M once mitigated.\n{LINK}"
    ),
    "not mitigated, told": (
        "ERR K7 checkout: 5xx rate 8.2%. Ana has it, not mitigated in 2h; you are tier 2/2, 10m."
        f"\nReply K7 to ack\n{LINK}"
    ),
    "mitigated": "K7 checkout: Ana says it is mitigated. You are off the hook.",
    "not resolved": (
        "K7 checkout is yours and not resolved in 8h: the last resort is told."
        f" Reply K7 and a few words, or K7M once mitigated.\n{LINK}"
    ),
    "not resolved, told": (
        f"K7 checkout: Ana has it, not resolved in 8h. You are the last resort. 5xx rate 8.2%.\nReply K7 to ack\n{LINK}"
    ),
    "handover": (
        "ERR K7 checkout: 5xx rate 8.2%: Ana still has it (acked 01:01), and that shift is over. "
        f"Reply K7 to take it over.\n{LINK}"
    ),
}


@pytest.mark.parametrize("moment", SMS)
def test_a_text_message_says_exactly_this(moment):
    """One segment each; what can be answered says how."""
    assert words(moment).text == SMS[moment]
    assert septets(words(moment).text) <= SEPTETS_MAX


def test_without_a_code_the_link_is_what_there_is():
    """Somebody with all codes in use is still shown the way."""
    link = Handles(link=LINK)
    assert words("handover", handles=link).text.endswith(f"that shift is over. Take it over:\n{LINK}")
    assert words("silent", handles=link).text == f"INC-1 checkout is yours: an update is due.\n{LINK}"


CALLS = {
    "silent": "It is yours, and an update is due.",
    "not mitigated": "It is yours, and not mitigated in its time. The next tier is told.",
    "not resolved": "It is yours, and not resolved in its time. The last resort is told.",
    "not mitigated, told": "Ana has it not mitigated in 2 hours.",
    "not resolved, told": "Ana has it not resolved in 8 hours. You are the last resort.",
    "handover": "Ana still has it, and that shift is over.",
}


@pytest.mark.parametrize("moment", CALLS)
def test_a_call_says_it_in_a_sentence(moment):
    """Nobody is told to go back to sleep who is asked for something."""
    speech = words(moment, ChannelKind.CALL).speech
    assert CALLS[moment] in speech
    assert "sleep" not in " ".join(speech)


LINES = {
    "silent": "It is yours, and an update is due: write a note.",
    "not mitigated": "It is yours, and not mitigated in its time: the next tier is told. Say so once it is.",
    "not resolved": "It is yours, and not resolved in its time: the last resort is told.",
    "not resolved, told": "Ana has it, not resolved in 8h. You are the last resort.",
    "handover": "Ana's shift is over, and Ana still has it. You are on call now: ack to take it over.",
    "mitigated": "You are off the hook.",
}


@pytest.mark.parametrize("moment", LINES)
def test_what_is_written_says_why_it_comes(moment):
    """The second line of a chat message or mail."""
    assert words(moment, ChannelKind.CHAT).text.splitlines()[1] == LINES[moment]
    assert words(moment, ChannelKind.MAIL).text.splitlines()[1] == LINES[moment]


def test_a_mail_names_what_it_is_in_its_subject():
    """OVERDUE for the owner, HANDOVER for whoever comes on call, with the way to take it over below."""
    assert words("silent", ChannelKind.MAIL).title.startswith("[OVERDUE] checkout")
    mail = words("handover", ChannelKind.MAIL)
    assert mail.title.startswith("[HANDOVER] checkout")
    assert f"Take it over: {LINK}" in mail.text
    assert f"Details: {LINK}" in words("silent", ChannelKind.MAIL).text


def test_what_rests_says_that_nothing_is_overdue_any_more():
    """A room that hears of a track at rest reads who has it, not that it is over."""
    first = words("mitigated", ChannelKind.CHAT).text.splitlines()[0]
    assert first == "ERROR checkout: 5xx rate 8.2%. Ana has it, and nothing is overdue any more."


@pytest.mark.parametrize("kind", [NoticeKind.MILESTONE, NoticeKind.HANDOVER])
@pytest.mark.parametrize("channel", [kind for kind in ChannelKind if kind is not ChannelKind.CALL])
def test_a_confidential_case_says_nothing_of_its_alert(kind, channel):
    """Its code and where to sign in."""
    moment = {"milestone": "silent", "handover": "handover"}[kind]
    outcome, person = MOMENTS[moment]
    notify = next(e for e in outcome.effects if isinstance(e, Notify) and e.person == person)
    secret = replace(outcome.incident, confidential=True)
    text = compose(tell(notify, secret, WORLD, outcome.now, K7), channel).text
    assert "5xx" not in text
    assert "checkout" not in text
    assert text.startswith("CONFIDENTIAL case K7 is ")
    assert "Sign in:" in text


def test_a_confidential_call_says_nothing_either():
    """The case needs them, details after signing in."""
    outcome, person = MOMENTS["silent"]
    notify = next(e for e in outcome.effects if isinstance(e, Notify) and e.person == person)
    told = tell(notify, replace(outcome.incident, confidential=True), WORLD, outcome.now, K7)
    assert compose(told, ChannelKind.CALL).speech[0] == "Confidential case K 7 needs you."


HOURS = replace(POLICY, hash="hours", milestones=None, hours=OfficeHours(calendar="work"))
MONDAY = datetime(2026, 10, 26, 9, 0, tzinfo=T0.tzinfo)


def test_a_held_page_says_for_how_long_it_was_held():
    """Whoever reads it on Monday knows that it is not news."""
    known = world(HOURS)
    opened = run(None, (fired(policies=(HOURS,)), T0), world=known).incident
    outcome = Seen(opened, DUE, MONDAY, known)
    assert said(outcome, "cy", known=known).text.startswith(
        "ERR K7 checkout: 5xx rate 8.2%. Held 2d8h for office hours; you are tier 1/2, 10m."
    )
    assert OFFICE.name == "work"


def test_what_waits_says_until_when():
    """A room, a link or a reply that shows a held incident reads the day and the hour."""
    known = world(HOURS)
    opened = run(None, (fired(policies=(HOURS,)), T0), world=known).incident
    notify = Notify(reference="x", kind=NoticeKind.UPDATE, track="main", tier=0, epoch=0, person="", channel="chat")
    text = compose(tell(notify, opened, known, T0), ChannelKind.CHAT).text
    assert "Held until Mon 09:00 UTC by office hours; nobody is paged." in text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.REBASED, "The rules have changed"),
        (Reason.MILESTONE, "Nobody has it after 10m"),
    ],
)
def test_other_reasons_to_be_paged_are_named(reason, words):
    """A track that a rebase started, a tier that a milestone entered before its time."""
    opened = run(None, (fired(policies=(POLICY,)), T0), world=WORLD).incident
    notify = Notify(
        reference="x", kind=NoticeKind.PAGE, track="main", tier=1, epoch=1, person="bo", channel="sms", reason=reason
    )
    assert why_you(tell(notify, opened, WORLD, at(10))) == words


def test_a_track_past_due_that_forgot_why_still_names_its_owner():
    """A message of a milestone made up for meanwhile says no more than is true."""
    outcome, _ = MOMENTS["mitigated"]
    notify = Notify(
        reference="x", kind=NoticeKind.PAGE, track="past due:main", tier=2, epoch=1, person="bo", channel="sms"
    )
    assert why_you(tell(notify, outcome.incident, QUIET, at(126))) == "Ana has it"


def test_a_stale_incident_is_asked_about_as_such():
    """After a week the question says so, with how long the ack would hold by now."""
    policy = replace(POLICY, hash="week", milestones=None, ack_hold_seconds=dict.fromkeys(Severity, 3600.0))
    known = world(policy)
    incident = held(policy)
    notify = Notify(
        reference="x", kind=NoticeKind.ACK_QUESTION, track="main", tier=1, epoch=1, person="ana", channel="sms"
    )
    week = T0 + timedelta(days=8)
    text = compose(tell(notify, incident, known, week, K7), ChannelKind.SMS).text
    assert text == (
        "K7 checkout fires for 8d. Stale? Then close it. Reply K7 to keep it 1d more. No reply in 10m re-pages tier 1."
    )
    chat = compose(tell(notify, incident, known, week, K7), ChannelKind.CHAT).text
    assert "Firing for so long that it may be stale: then close it. Ack again to keep it 1d more" in chat
    young = compose(tell(notify, incident, known, at(61), K7), ChannelKind.CHAT).text
    assert "Still firing after your ack. Ack again to keep it 1h more" in young


@settings(max_examples=60)
@given(title=st.text(max_size=300), service=st.text(max_size=200), moment=st.sampled_from(sorted(SMS)))
def test_any_alert_fits_one_segment_and_keeps_code_and_link(title, service, moment):
    """Hostile names are cut, the answer never is."""
    outcome, person = MOMENTS[moment]
    notify = next(e for e in outcome.effects if isinstance(e, Notify) and e.person == person)
    hostile = replace(outcome.incident, title=title, service=service)
    text = compose(tell(notify, hostile, QUIET, outcome.now, K7), ChannelKind.SMS).text
    assert septets(text) <= SEPTETS_MAX
    assert "K7" in text
    assert (LINK in text) is (LINK in SMS[moment])
