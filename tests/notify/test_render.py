"""From a claimed row to a message: by template, by the built-in words, or plainly; a page is never stopped."""

from dataclasses import replace

import pytest

from escalatord.core.incident import NoticeKind, Reason
from escalatord.core.roster import ChannelKind
from escalatord.core.template import Audience, Template, Wording
from escalatord.engine.commands import Claimed
from escalatord.notify import render as rendering
from escalatord.notify.render import Fallback, Renderer, worded_by
from escalatord.store.rows import OutboxRow
from escalatord.templating.budget import TemplateFailedError
from tests.core.test_template_values import record
from tests.fakes.messages import EXTERNAL_URL
from tests.fakes.paging import a_policy, a_ruleset, a_track, an_incident, channels, later

TOKEN = "7QF3M9TX2B4KP"
TEXTS = {
    ChannelKind.SMS: "{{ code }} {{ service }} {{ labels.team }}\n{{ link }}",
    ChannelKind.CHAT: "{{ service }} {{ facts.downtime }}",
    ChannelKind.CALL: "{{ service }} is down",
    ChannelKind.MAIL: "{{ link }} {{ number }}",
}


def template(**changes):
    """Return a template with a text for every channel, in English."""
    wordings = {kind: {"en": Wording(language="en", text=text, subject="{{ title }}")} for kind, text in TEXTS.items()}
    made = Template(name="t", audience=Audience.RESPONDER, wordings=wordings)
    return replace(made, **changes)


def texts(text, language="en"):
    """Return one text for text messages."""
    return {ChannelKind.SMS: {language: Wording(language=language, text=text)}}


def world(*templates, policy=None):
    """Return the world of the night where Ana's tier has a template."""
    from escalatord.core.ruleset import World  # noqa: PLC0415 - beside its only use

    policy = policy or a_policy()
    (track,) = policy.tracks
    tiers = (replace(track.tiers[0], template="t"), *track.tiers[1:])
    policy = replace(policy, tracks=(replace(track, tiers=tiers),))
    ruleset = replace(a_ruleset(), templates={each.name: each for each in templates})
    return World(ruleset=ruleset, policies={policy.hash: policy})


def claimed(kind=NoticeKind.PAGE, channel="sms", tier=1, incident=None):
    """Return a row on its way to Ana."""
    row = OutboxRow(
        reference="i142-1-0",
        incident=142,
        track=(incident or an_incident()).main.name,
        tier=tier,
        epoch=1,
        kind=kind,
        person="ana",
        channel=channel,
        lane=f"{channel}/sim",
        rank=3,
        late=False,
        reason=Reason.OPENED,
        actor="",
        due_at=later(0),
    )
    return Claimed(row=row, incident=incident or an_incident(), code="K7", link_token=TOKEN, thread="")


def rendered(world_, item=None, channel="sms", alert=None):
    """Return the message and what it fell back from."""
    return Renderer(EXTERNAL_URL).render(item or claimed(channel=channel), channels()[channel], world_, later(1), alert)


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("sms", f"K7 checkout pay\n{EXTERNAL_URL}/a/{TOKEN}"),
        ("chat", "checkout 1s"),
        ("call", "checkout is down. Press 4 if you have it. Press 8 to pass it on. Press 9 to hear this again."),
    ],
)
def test_a_tier_with_a_template_is_told_by_it(channel, text):
    """Labels and facts are those of the alert that was given."""
    message, fallback = rendered(world(template()), channel=channel, alert=record())
    assert (message.text, fallback, message.language) == (text, None, "en")


def test_a_mail_shows_its_number():
    """The subject is the template's, and the number is the one that the page wants."""
    message, fallback = rendered(world(template()), channel="mail")
    assert fallback is None
    assert message.title == "5xx rate 8.2% over 5% for 5m (eu-west)"
    assert message.text.split() == [message.link, str(message.number)]


def test_what_a_template_does_not_word_is_told_in_the_built_in_text():
    """Other notices, other tiers, other channels and languages: no fallback is counted for what was never meant."""
    plain, _ = rendered(world())
    meant = world(template(notices=frozenset({NoticeKind.STAND_DOWN})))
    for message, fallback in (
        rendered(meant),
        rendered(world(template()), claimed(tier=2)),
        rendered(world(template(wordings={}))),
        rendered(world(template(wordings=texts("x", "fr"), language="de"))),
    ):
        assert fallback is None
        assert message.text.partition(".")[0] == plain.text.partition(".")[0]


FAILING = [
    pytest.param(texts("a\n{{ labels.nope }}"), "sms en, line 2", 'there is no "nope" in labels', id="no such label"),
    pytest.param(texts("{{ title }}"), "sms en", "it leaves out the code", id="no code"),
    pytest.param(
        texts("{{ code }}{{ link }}" + "x" * 160), "sms en", "it does not fit into 160 septets", id="too long"
    ),
    pytest.param(texts("{{ title"), "sms en, line 1", "it cannot be read: unexpected", id="no template at all"),
    pytest.param(texts("{% for a in paged %}" * 4), "sms en, line 1", "it cannot be read", id="an open loop"),
    pytest.param(texts("{{ title * 9 }}"), "sms en, line 1", "`*` is not in the language", id="not in the language"),
    pytest.param(texts("{% if late %}x{% endif %}"), "sms en", "it says nothing", id="nothing said"),
]


@pytest.mark.parametrize(("wordings", "wording", "why"), FAILING)
def test_a_template_that_fails_is_replaced_by_the_built_in_text(wordings, wording, why):
    """The page goes out in its usual words, with code and link, and says what failed."""
    built_in, _ = rendered(world())
    message, fallback = rendered(world(template(wordings=wordings)))
    assert "K7" in message.text
    assert message.link in message.text
    assert message.text.partition("\n")[0][:40] == built_in.text[:40]
    assert (fallback.template, fallback.wording) == ("t", wording)
    assert fallback.why.startswith(why)


def test_a_template_that_left_the_rules_is_a_failure():
    """An open incident is pinned to a policy that names it; what is no longer there cannot word it."""
    assert rendered(world())[1] == Fallback(template="t", why="it is no longer in the rules")


@pytest.mark.parametrize("error", [TemplateFailedError("planted"), KeyError("planted"), ValueError("planted")])
def test_no_mistake_of_ours_stops_a_page(monkeypatch, error):
    """Whatever the rendering of a template raises, the built-in text is said."""

    def broken(*_arguments):
        raise error

    monkeypatch.setattr(rendering, "words_of", broken)
    message, fallback = rendered(world(template()))
    assert message.text.startswith("CRIT K7 checkout: 5xx rate")
    assert fallback.template == "t"


def test_when_even_the_built_in_words_fail_a_plain_text_is_said(monkeypatch):
    """Severity, code, service, title and link."""

    def broken(*_arguments):
        raise KeyError("planted")

    monkeypatch.setattr(rendering, "compose", broken)
    message, fallback = rendered(world())
    assert message.text.startswith("CRITICAL K7 checkout: 5xx rate 8.2%")
    assert message.link in message.text
    assert fallback == Fallback(template="", why="KeyError")


@pytest.mark.parametrize("where", ["incident", "policy"])
def test_a_confidential_case_is_never_told_by_a_template(where):
    """Neither a confidential incident nor a confidential policy; the template could quote the alert."""
    policy = a_policy(compliance=where == "policy")
    track = a_track(name=policy.tracks[0].name, policy=policy.hash)
    item = claimed(incident=an_incident(track, confidential=where == "incident", title="SECRET"))
    seen = world(template(), policy=policy)
    assert worded_by(item, channels()["sms"], seen) == ""
    message, fallback = rendered(seen, item, alert=record())
    assert fallback is None
    assert message.text.startswith("CONFIDENTIAL case K7")
    assert "SECRET" not in message.text + message.title


def test_a_webhook_is_never_worded():
    """Machines read facts."""
    hook = replace(channels()["sms"], kind=ChannelKind.WEBHOOK)
    assert worded_by(claimed(), hook, world(template())) == ""
    assert worded_by(claimed(), channels()["sms"], world(template())) == "t"


def test_a_text_without_its_link_is_not_looked_for_by_it():
    """After a crash a text is found by the link in it; one that shows none must be found by its words."""
    plain = world(template(audience=Audience.MANAGEMENT, wordings=texts("{{ code }} {{ service }}")))
    message, _ = rendered(plain)
    assert (message.text, message.link) == ("K7 checkout", "")


def test_without_an_alert_labels_are_missing_and_defaults_stand_in():
    """When the worst alert cannot be had, a template with defaults still words the page."""
    told = world(template(wordings=texts("{{ code }} {{ labels.team|default('x') }} {{ link }}")))
    assert rendered(told)[0].text.startswith("K7 x ")


def test_the_reader_is_told_in_a_language_of_theirs():
    """Spanish for whom reads it first, else the default; a call is spoken in the language of its words."""
    spanish = {ChannelKind.CALL: {one: Wording(language=one, text=f"{one} {{{{ service }}}}") for one in ("en", "es")}}
    seen = world(template(wordings=spanish))
    people = seen.ruleset.people
    for languages, expected in ((("es", "en"), "es"), (("de",), "en"), ((), "en")):
        ana = {"ana": replace(people["ana"], languages=languages)}
        asked = replace(seen, ruleset=replace(seen.ruleset, people={**people, **ana}))
        message, _ = rendered(asked, channel="call")
        assert (message.language, message.speech[0]) == (expected, f"{expected} checkout.")
    built_in, _ = rendered(
        replace(seen, ruleset=replace(seen.ruleset, templates={}, people={**people, **ana})), channel="call"
    )
    assert built_in.language == "en"
