"""Templates in the rules: read, refused with the place in the template, and made into values."""

from pathlib import Path

import pytest

from escalatord.config.load import load
from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.core.template import NOTICES_DEFAULT, Audience, Wording
from tests.fakes.rule_sets import GOOD, findings_of, written

USED = GOOD.replace("within: 5m}", "within: 5m, template: t}")
BLOCK = """\
templates:
  t:
    audience: management
    chat:
      en: |
        {{ service }} is in trouble.
        %s
    mail:
      en:
        subject: "{{ service }}"
        text: |
          %s
"""


def test_a_template_becomes_a_value(tmp_path: Path) -> None:
    """Both spellings of a text, by channel and language."""
    text = """\
templates:
  t:
    audience: responder
    notices: [page, stand_down]
    language: es
    sms:
      es: {text: "{{ code }} {{ link }}", segments: 2}
      pt-BR: "{{ code }} {{ link }} ."
    mail: {en: {subject: s, text: t}}
  management:
    call: {en: hello}
"""
    templates = load(written(tmp_path, r=USED + text), environ={}).ruleset.templates
    ours = templates["t"]
    assert (ours.audience, ours.language) == (Audience.RESPONDER, "es")
    assert ours.notices == {NoticeKind.PAGE, NoticeKind.STAND_DOWN}
    assert dict(ours.wordings) == {
        ChannelKind.SMS: {
            "es": Wording(language="es", text="{{ code }} {{ link }}", segments=2),
            "pt-BR": Wording(language="pt-BR", text="{{ code }} {{ link }} ."),
        },
        ChannelKind.MAIL: {"en": Wording(language="en", text="t", subject="s")},
    }
    assert (templates["management"].audience, templates["management"].notices) == (Audience.MANAGEMENT, NOTICES_DEFAULT)


def test_a_tier_names_its_template_and_its_words_do_not_change_the_policy(tmp_path: Path) -> None:
    """Which template is part of the policy; what it says is not, so that open incidents get better words."""
    hashes = []
    for words in ("hello", "good morning"):
        text = f"templates: {{t: {{audience: public, chat: {{en: {words}}}}}}}\n"
        ruleset = load(written(tmp_path, r=USED + text), environ={}).ruleset
        assert ruleset.policies["p"].tracks[0].tiers[0].template == "t"
        hashes.append((ruleset.policies["p"].hash, ruleset.hash))
    plain = load(written(tmp_path, r=GOOD), environ={}).ruleset
    assert hashes[0][0] == hashes[1][0] != plain.policies["p"].hash
    assert hashes[0][1] != hashes[1][1]


BROKEN = [
    pytest.param(
        "{{ sevice }}", "x", ['7:12 E015 there is no value "sevice" (did you mean `service`?)'], id="a name"),
    pytest.param(
        "{{ title|shout }} {{ title|toUper }}",
        "x",
        ['7:18 E015 there is no filter "shout"', '7:36 E015 there is no filter "toUper" (did you mean `toUpper`?)'],
        id="filters",
    ),
    pytest.param("x {{ title", "x", ["7:11 E015 it cannot be read: unexpected end of template"], id="an open bracket"),
    pytest.param("x", "{% set a = 1 %}", ["12:11 E015 `set` is not in the language"], id="set, in a mail"),
    pytest.param("a {{ 'x' * 9 }}", "x", ["7:11 E015 `*` is not in the language of templates"], id="multiplying"),
    pytest.param("{{ title.upper() }}", "x", ["7:9 E015 nothing can be called in a template"], id="a call"),
    pytest.param("{{ title|match('(') }}", "x", ["7:23 E015 the pattern cannot be read"], id="a pattern"),
]  # fmt: skip


@pytest.mark.parametrize(("chat", "mail", "expected"), BROKEN)
def test_a_fault_is_told_at_its_place_in_the_template(
    tmp_path: Path, chat: str, mail: str, expected: list[str]
) -> None:
    """Line and column are those of the word in the file, not those where the text begins."""
    folder = written(tmp_path, a=USED, t=BLOCK % (chat, mail))
    told = [f"{found.line}:{found.column} {found.code} {found.say} ({found.fix})" for found in findings_of(folder)]
    assert len(told) == len(expected)
    assert all(seen.startswith(wanted) for seen, wanted in zip(told, expected, strict=True)), told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t: {audience: public, chat: {en: 'it is {{ nope }}'}}", "2:46"),
        ('t: {audience: public, chat: {en: "a {{ service }} b {{ nope }}"}}', "2:58"),
        ("t:\n    audience: public\n    chat:\n      en: it is {{ nope }}", "5:20"),
        ("t:\n    audience: public\n    chat:\n      en: >\n        it is\n        {{ nope }}", "6:9"),
    ],
)
def test_a_fault_in_one_line_is_told_at_its_word(tmp_path: Path, text: str, expected: str) -> None:
    """In quotes, plain and folded texts too."""
    (found,) = findings_of(written(tmp_path, a=USED, t=f"templates:\n  {text}\n"))
    assert (f"{found.line}:{found.column}", found.code) == (expected, "E015")


def test_the_public_is_not_told_what_is_inside(tmp_path: Path) -> None:
    """A value that others may use has its own sentence."""
    folder = written(tmp_path, a=USED, t="templates: {t: {audience: public, chat: {en: '{{ title }}'}}}\n")
    assert [found.say for found in findings_of(folder)] == ['"title" is not for the public']


MISTAKES = [
    pytest.param("{chat: {en: x}}", 'E012 the template "t" does not say whom it is for', id="no audience"),
    pytest.param("{audience: public}", "E012 there is no text in it", id="no text"),
    pytest.param("{audience: everybody, chat: {en: x}}", 'E013 "everybody" is not one of', id="an unknown audience"),
    pytest.param("{audience: public, chat: {english: x}}", "E013", id="no language tag"),
    pytest.param("{audience: public, chat: {en: ''}}", "E013", id="an empty text"),
    pytest.param("{audience: public, mail: {en: {text: x}}}", "E012 `subject` is missing", id="a mail without subject"),
    pytest.param("{audience: public, chat: {en: {text: x, subject: y}}}", 'E010 unknown key "subject"', id="a subject"),
    pytest.param("{audience: public, call: {en: {text: x, segments: 2}}}", "E010 unknown key", id="segments of a call"),
    pytest.param("{audience: public, sms: {en: {text: x, segments: 9}}}", "E013 `segments` must be", id="segments"),
    pytest.param("{audience: public, notices: [last_resort], chat: {en: x}}", 'E013 "last_resort"', id="a notice"),
    pytest.param("{audience: public, webhook: {en: x}}", 'E010 unknown key "webhook"', id="a webhook"),
]


@pytest.mark.parametrize(("text", "say"), MISTAKES)
def test_a_mistake_in_the_frame_of_a_template_is_told(tmp_path: Path, text: str, say: str) -> None:
    """The mapping around the texts is read as strictly as everything else."""
    found = findings_of(written(tmp_path, a=USED, t=f"templates: {{t: {text}}}\n"))
    assert any(f"{item.code} {item.say}".startswith(say) for item in found), found


def test_a_template_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A tier names one of the templates of the rules."""
    text = "templates: {mangement: {audience: management, chat: {en: x}}}\n"
    folder = written(tmp_path, r=GOOD.replace("within: 5m}", "within: 5m, template: management}") + text)
    (found,) = findings_of(folder)
    assert (found.code, found.say, found.fix) == (
        "E020", 'there is no "management" in templates', "did you mean `mangement`?",
    )  # fmt: skip
