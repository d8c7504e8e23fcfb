"""A tier's people are told in its template's words; whatever a template or an alert does, the page goes out."""

import pytest

from escalatord.core.gsm7 import septets
from tests.fakes.company import SECTIONS, night

POLICIES = """
    unmatched: {severity: error, policy: main}
    policies:
      main:
        tracks:
          technical:
            tiers:
              - {page: [person ana], within: 5m, plan: text, template: ours}
              - {page: [person bo], within: 5m, plan: text}
        last_resort: {page: [person boss], plan: text}
    """
PEOPLE = SECTIONS["people"].replace("U01ANA, ", "U01ANA, languages: [es], ")


def ours(text, more=""):
    """Return the template of the first tier."""
    return f"templates:\n  ours:\n    audience: responder\n    sms:\n      en: |\n        {text}\n{more}"


PAGE = "{{ code }} {{ service }} {{ labels.team|default('?') }} {{ title }}\n        {{ link }}"


@pytest.mark.asyncio
async def test_the_first_tier_is_told_in_its_own_words_and_the_second_as_usual(tmp_path):
    """Labels of the alert are among the words; Ana acknowledges by the code that they show."""
    async with night(tmp_path, policies=POLICIES, templates=ours(PAGE)) as world:
        await world.fire("DiskFull", service="db", team="storage")
        page = world.expect_sms("ana", "db storage DiskFull")
        assert page.code in page.text
        assert page.link in page.text
        await world.pass_time(minutes=5)
        world.expect_sms("bo", "Ana did not ack in 5m")
        assert "You now own" in await world.reply("ana", page.code)
        world.expect_sms("bo", "was acked by Ana")


@pytest.mark.asyncio
async def test_the_reader_is_told_in_their_language(tmp_path):
    """Ana reads Spanish."""
    spanish = "      es: |\n        Guardia {{ code }} {{ service }}\n        {{ link }}\n"
    async with night(tmp_path, policies=POLICIES, people=PEOPLE, templates=ours(PAGE, spanish)) as world:
        await world.fire("DiskFull", service="db")
        world.expect_sms("ana", "Guardia ")


@pytest.mark.asyncio
async def test_a_template_that_fails_at_night_is_replaced_counted_and_journaled(tmp_path):
    """The page goes out in the built-in words at once; the metric and the journal say what failed, once an hour."""
    async with night(tmp_path, policies=POLICIES, templates=ours("{{ code }} {{ labels.nope }} {{ link }}")) as world:
        assert world.figure("escalatord_template_fallbacks_total", template="ours") == 0
        for number, service in enumerate(("db", "web", "dns"), start=1):
            await world.fire("DiskFull", service=service, group=service)
            page = world.expect_sms("ana", service, after=0)
            assert page.text.startswith("ERR ")
            assert world.figure("escalatord_template_fallbacks_total", template="ours") == number
        (row,) = world.journal(0, "template_failed")
        assert row.entry.body == {
            "template": "ours",
            "wording": "sms en, line 1",
            "why": 'there is no "nope" in labels',
        }


@pytest.mark.asyncio
@pytest.mark.parametrize("title", ["{{7*7}} {0.__class__}", "{% for", "x" * 5000, "\u202e\x00\r\n“”日本", "' OR 1=1"])
async def test_no_alert_breaks_a_template(tmp_path, title):
    """Alert text is told, cut to one segment, and never read as a template."""
    async with night(tmp_path, policies=POLICIES, templates=ours(PAGE)) as world:
        await world.fire("DiskFull", service="db", team=title)
        page = world.expect_sms("ana", "db ")
        assert septets(page.text) <= 160
        assert page.text.endswith(page.link)
        assert "49" not in page.text.replace(page.link, "").replace(page.code, "")
        assert world.figure("escalatord_template_fallbacks_total", template="ours") == 0


@pytest.mark.asyncio
async def test_better_words_help_an_incident_that_is_open(tmp_path):
    """The text is that of the rules in force; the policy stays pinned."""
    policies = POLICIES.replace(
        "within: 5m, plan: text, template", "within: 20m, remind: [5m, 10m], plan: text, template"
    )
    async with night(tmp_path, policies=policies, templates=ours("{{ code }} one {{ link }}")) as world:
        await world.fire("DiskFull", service="db")
        world.expect_sms("ana", " one ")
        file = world.rules / "templates.yaml"
        file.write_text(file.read_text().replace(" one ", " two "))
        await world.reload(world.rules)
        await world.pass_time(minutes=5)
        world.expect_sms("ana", " two ")
        file.write_text("")
        for rules in world.rules.glob("policies.yaml"):
            rules.write_text(rules.read_text().replace(", template: ours", ""))
        await world.reload(world.rules)
        await world.pass_time(minutes=5)
        world.expect_sms("ana", "Not acked yet")
        assert world.figure("escalatord_template_fallbacks_total", template="ours") == 1


@pytest.mark.asyncio
async def test_a_call_speaks_the_template(tmp_path):
    """Lines become sentences, and the keys are said after them."""
    policies = POLICIES.replace("plan: text, template", "plan: ring, template")
    templates = "templates: {ours: {audience: responder, call: {en: '{{ service }} is down'}}}\n"
    async with night(tmp_path, policies=policies, templates=templates) as world:
        await world.fire("DiskFull", service="db")
        call = world.expect_call("ana", "db is down")
        assert "Press 4" in call.text
        await world.press("ana", "4")
