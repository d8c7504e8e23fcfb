"""Templates tried out on recorded alerts."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.config.load import load
from escalatord.config.template_samples import materials, rungs_of
from escalatord.config.template_trials import try_templates
from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.template import WORDED_NOTICES
from tests.fakes.rule_sets import GOOD, written

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
USED = GOOD.replace("within: 5m}", "within: 5m, template: t}")
PAGE = "{{ severity|toUpper }} {{ code }} {{ service }}: {{ title }} Reply {{ code }} {{ link }}"


def alert(name: str, **labels: str) -> Alert:
    """Return a recorded alert."""
    return Alert(
        source="am",
        fingerprint=name,
        status=AlertStatus.FIRING,
        starts_at=NOW,
        title=f"{name} is broken",
        labels=labels,
    )


ALERTS = {"one": alert("one", team="payments", service="checkout"), "two": alert("two", service="search")}


def tried(folder: Path, template: str, alerts: dict[str, Alert] | None = None, rules: str = USED) -> list[str]:
    """Return what is found out about a template of these rules."""
    loaded = load(written(folder, r=rules, t=f"templates:\n  t:\n    {template}\n"), environ={})
    found = try_templates(loaded, ALERTS if alerts is None else alerts, NOW)
    return [f"{item.line}:{item.column} {item.code} {item.say}" for item in found]


def test_a_good_template_has_no_findings(tmp_path: Path) -> None:
    """Every notice, every alert, in every shape."""
    every = ", ".join(WORDED_NOTICES)
    assert tried(tmp_path, f"{{audience: responder, notices: [{every}], sms: {{en: '{PAGE}'}}}}") == []


def test_a_value_that_one_alert_lacks_is_an_error(tmp_path: Path) -> None:
    """Strict: a label of one payload and not of another needs a default; with it there is no finding."""
    (found,) = tried(tmp_path, "{audience: management, chat: {en: 'a {{ labels.team }}'}}")
    assert found == '3:42 E040 there is no "team" in labels (page of two)'
    assert tried(tmp_path, """{audience: management, chat: {en: "a {{ labels.team|default('x') }}"}}""") == []


def test_a_branch_that_only_some_notices_take_is_tried(tmp_path: Path) -> None:
    """What fails only when it is over is found too."""
    text = "{{% if state == 'resolved' %}}{{{{ labels.nope }}}}{{% endif %}}x"
    template = "audience: management\n    notices: [{}]\n    chat:\n      en: |\n        a\n        " + text
    (found,) = tried(tmp_path, template.format("page, stand_down"))
    assert found == '8:37 E040 there is no "nope" in labels (stand_down of one)'
    assert tried(tmp_path, template.format("page")) == []


def test_without_recorded_alerts_one_without_labels_is_told(tmp_path: Path) -> None:
    """No payload proves a label."""
    (found,) = tried(tmp_path, "{audience: management, chat: {en: 'a {{ labels.team }}'}}", {})
    assert found.endswith('there is no "team" in labels (page of no recorded alert)')


def test_a_text_message_that_can_be_too_long_is_an_error(tmp_path: Path) -> None:
    """Counted with the longest names of the roster, and without what is cut anyway; segments allow more."""
    long = "{audience: management, sms: {en: {text: '" + PAGE + "x" * 90 + "'%s}}}"
    (found,) = tried(tmp_path, long % "")
    assert found == (
        "3:45 E041 this text message can take 169 septets even without its title, and 160 fit (page of one)"
    )
    assert tried(tmp_path, long % ", segments: 2") == []
    names = "{audience: management, sms: {en: '{{ code }} " + "x" * 135 + " {{ next_people|join }}'}}"
    assert tried(tmp_path, names) == []
    grown = USED.replace("bo: {", "bo: {name: Bartholomaeusiana Li, ")
    assert "E041" in tried(tmp_path, names, rules=grown)[0]


@pytest.mark.parametrize(
    ("text", "say"),
    [
        ("{{ code }} {{ title }}", "E042 a page to a responder: it leaves out the link (page of one)"),
        ("{{ link }} {{ title }}", "E042 a page to a responder: it leaves out the code (page of one)"),
        ("{% if labels.team is defined %}{{ code }}{% endif %} {{ link }}", "it leaves out the code (page of two)"),
    ],
)
def test_a_page_without_code_or_link_is_an_error(tmp_path: Path, text: str, say: str) -> None:
    """For responders by text message; in a branch too."""
    (found,) = tried(tmp_path, f"{{audience: responder, sms: {{en: '{text}'}}}}")
    assert found.endswith(say)


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("{audience: management, sms: {en: '{{ service }}'}}", 1),
        ("{audience: management, sms: {en: '{{ code }}'}}", 0),
        ("{audience: public, sms: {en: '{{ service }}'}}", 0),
        ("{audience: management, chat: {en: '{{ service }}'}}", 0),
        ("{audience: responder, mail: {en: {subject: s, text: '{{ link }}'}}}", 1),
        ("{audience: responder, mail: {en: {subject: s, text: '{{ link }} {{ number }}'}}}", 0),
        ("{audience: management, notices: [stand_down], sms: {en: '{{ service }}'}}", 0),
    ],
)
def test_a_page_that_nobody_can_acknowledge_is_doubtful(tmp_path: Path, template: str, count: int) -> None:
    """A warning where neither a code nor a link that can be used is shown."""
    found = [item.replace(" a ", " ") for item in tried(tmp_path, template, {"one": ALERTS["one"]})]
    if "service" in template and count == 0 and "chat" not in template:
        found = [item for item in found if "says nothing" not in item]
    assert [item.split()[1] for item in found] == ["W070"] * count


def test_a_confidential_policy_has_no_use_for_a_template(tmp_path: Path) -> None:
    """It is never told by one, so naming one is a mistake of thought."""
    secret = USED.replace("    last_resort:", "    class: confidential\n    last_resort:")
    (found,) = tried(tmp_path, "{audience: management, chat: {en: x}}", rules=secret)
    assert "W071 a confidential case is always told in the built-in words" in found


def test_a_failing_subject_is_told_at_the_subject(tmp_path: Path) -> None:
    """Of a mail's two texts."""
    template = "audience: public\n    mail:\n      en:\n        subject: 'a {{ service[99] }}'\n        text: x"
    assert tried(tmp_path, template)[0].startswith("6:21 E040")


def test_samples_are_told_of_the_first_and_the_last_tier_that_use_it(tmp_path: Path) -> None:
    """A template of several tiers is tried on both ends; one that no tier names on a tier of its own."""
    tiers = USED.replace(
        "          - {page: [person ana], within: 5m, template: t}\n",
        "          - {page: [person ana], within: 5m, template: t}\n" * 3,
    )
    loaded = load(written(tmp_path, r=tiers, t="templates: {t: {audience: public, chat: {en: x}}}\n"), environ={})
    template = loaded.ruleset.templates["t"]
    assert [rung.number for rung in rungs_of("t", loaded.ruleset)] == [1, 2, 3]
    assert {item.telling.tier for _, item in materials(template, loaded.ruleset, ALERTS, NOW)} == {1, 3}
    assert rungs_of("u", loaded.ruleset) == ()
