"""Templates tried out on recorded alerts: can they be rendered, do they fit, can their readers answer?

Errors: E040 a template cannot be rendered · E041 a text message can be longer than its segments · E042 a page to a
responder without its code or link. Warnings: W070 a message by which nobody can acknowledge · W071 a confidential tier
names a template, and never uses it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from escalatord.config.load import Loaded, in_order
from escalatord.config.sections import Entry
from escalatord.config.template_samples import materials, rungs_of
from escalatord.config.templates import placed
from escalatord.core.alert import Alert
from escalatord.core.roster import ChannelKind
from escalatord.core.template import Audience, Template, Wording
from escalatord.core.template_values import Material
from escalatord.core.wording import ASKS_FOR_ACK
from escalatord.errors import Finding


def try_templates(loaded: Loaded, alerts: Mapping[str, Alert], now: datetime) -> tuple[Finding, ...]:
    """Return what is wrong with templates telling of `alerts` (by the name of their payload), in order of place."""
    found: list[Finding] = []
    for entry in loaded.sections.valid("templates"):
        template = loaded.ruleset.templates[entry.name]
        samples = list(materials(template, loaded.ruleset, alerts, now))
        for kind, texts in template.wordings.items():
            for wording in texts.values():
                found += _tried(entry, template, kind, wording, samples)
        found += _unused(loaded, entry.name)
    return tuple(sorted(found, key=in_order))


def _tried(
    entry: Entry, template: Template, kind: ChannelKind, wording: Wording, samples: list[tuple[str, Material]]
) -> Iterator[Finding]:
    """Yield what is wrong with one wording; what is wrong with several samples alike is told of the first."""
    seen: set[tuple[str, str]] = set()
    for name, material in samples:
        for finding, why in _trial(entry, template.audience, kind, wording, material):
            if (finding.code, why) not in seen:
                seen.add((finding.code, why))
                yield replace(finding, say=f"{finding.say} ({name})")


def _trial(
    entry: Entry, audience: Audience, kind: ChannelKind, wording: Wording, material: Material
) -> Iterator[tuple[Finding, str]]:
    """Yield what is wrong with one wording of one sample, each with what tells it from another."""
    # Jinja2 is not paid for by rules without templates
    from escalatord.templating.budget import TemplateFailedError  # noqa: PLC0415 - see above
    from escalatord.templating.words import (  # noqa: PLC0415 - see above
        LeftOutError,
        answerable,
        septets_allowed,
        septets_least,
        words_of,
    )

    at = (kind.value, wording.language, "text")
    try:
        if kind is ChannelKind.SMS:
            least, allowed = septets_least(wording, audience, material), septets_allowed(wording.segments)
            if least > allowed:
                say = f"this text message can take {least} septets even without its title, and {allowed} fit"
                yield entry.find("E041", say, *at, fix="say less, or give it more segments"), "too long"
                return
        words = words_of(wording, audience, kind, material)
    except LeftOutError as error:
        finding = entry.find("E042", f"a page to a responder: {error.say}", *at, fix=error.fix)
        yield placed(entry, at, finding, 1), error.say
        return
    except TemplateFailedError as error:
        place = (*at[:2], error.part) if error.part else at
        finding = entry.find("E040", error.say, *place, fix=error.fix)
        yield placed(entry, place, finding, error.line, error.word), f"{error.part}{error.line}{error.say}"
        return
    told = kind in (ChannelKind.SMS, ChannelKind.MAIL) and material.telling.kind in ASKS_FOR_ACK
    if told and audience is not Audience.PUBLIC and not answerable(words.text, kind, material):
        wanted = "{{ link }} and {{ number }}" if kind is ChannelKind.MAIL else "{{ code }} or {{ link }}"
        say = f"nobody can acknowledge by this {'mail' if kind is ChannelKind.MAIL else 'text message'}"
        yield entry.find("W070", say, *at, fix=f"write {wanted}"), "no answer"


def _unused(loaded: Loaded, name: str) -> Iterator[Finding]:
    for rung in rungs_of(name, loaded.ruleset):
        if rung.policy.confidential:
            entry = loaded.sections.entries["policies"][rung.policy.name]
            say = f'a confidential case is always told in the built-in words, never by "{name}"'
            at = ("tracks", rung.track.name, "tiers", rung.number - 1, "template")
            yield entry.find("W071", say, *at, fix="delete template")
