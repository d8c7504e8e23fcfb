"""Which template a tier has, and which of its texts a reader gets."""

from dataclasses import replace

import pytest

from escalatord.core.roster import ChannelKind
from escalatord.core.template import Audience, Template, Wording, template_of, wording_for
from tests.fakes.paging import a_policy

TEXTS = {language: Wording(language=language, text=language) for language in ("en", "es", "pt-BR")}
TEMPLATE = Template(name="t", audience=Audience.MANAGEMENT, wordings={ChannelKind.CHAT: TEXTS})


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        (("es",), "es"),
        (("es-MX", "en"), "es"),
        (("ES",), "es"),
        (("de", "es"), "es"),
        (("pt-br",), "pt-BR"),
        (("pt",), "en"),
        (("de",), "en"),
        ((), "en"),
    ],
)
def test_the_text_is_in_a_language_of_the_reader(languages, expected):
    """The reader's languages in order, each also by its base; then the default one."""
    found = wording_for(TEMPLATE, ChannelKind.CHAT, languages)
    assert found is not None
    assert found.language == expected


def test_without_a_text_the_built_in_one_is_meant():
    """No text for the channel, or none in any of the languages and the default: None."""
    assert wording_for(TEMPLATE, ChannelKind.SMS, ("en",)) is None
    assert wording_for(replace(TEMPLATE, language="fr"), ChannelKind.CHAT, ("de",)) is None


def test_a_tier_names_its_template():
    """By track and tier; a further policy's track is found by the name behind the colon."""
    policy = a_policy()
    (track,) = policy.tracks
    first, *others = track.tiers
    worded = replace(policy, tracks=(replace(track, tiers=(replace(first, template="t"), *others)),))
    assert template_of(worded, "technical", 1) == "t"
    assert template_of(worded, "payments:technical", 1) == "t"
    for place in (("technical", 0), ("technical", 2), ("technical", 9), ("stakeholder", 1)):
        assert template_of(worded, *place) == ""
    assert template_of(None, "technical", 1) == ""
