"""Templates of the rules: read, checked for what is wrong with their text, and made into values of the core.

What is wrong with a template's text (E015) is found when rules are loaded, and such rules are refused. Whether it can
be rendered and fits its channel is tried out by `escalatord check` (see `template_trials`).
"""

from collections.abc import Iterator
from dataclasses import replace

from escalatord.config.schema_templates import TemplatePart
from escalatord.config.sections import Entry, Sections, suggestion
from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.core.template import WORDED_KINDS, Audience, Template, Wording
from escalatord.core.template_values import ALL_NAMES, names_for
from escalatord.errors import Finding

MARKS = ("{{", "{%")


def template(entry: Entry) -> Template:
    """Return the template that a valid entry describes."""
    part: TemplatePart = entry.part
    wordings: dict[ChannelKind, dict[str, Wording]] = {}
    for kind in WORDED_KINDS:
        for language, given in getattr(part, kind.value).items():
            wordings.setdefault(kind, {})[language] = Wording(
                language=language,
                text=given.text,
                subject=getattr(given, "subject", ""),
                segments=getattr(given, "segments", 1),
            )
    return Template(
        name=entry.name,
        audience=audience_of(entry) or Audience.MANAGEMENT,
        notices=frozenset(NoticeKind(notice) for notice in part.notices),
        language=part.language,
        wordings=wordings,
    )


def audience_of(entry: Entry) -> Audience | None:
    """Return for whom a template is: as given, else its name; None when neither says it."""
    part: TemplatePart = entry.part
    if part.audience is not None:
        return Audience(part.audience)
    return Audience(entry.name) if entry.name in set(Audience) else None


def check(sections: Sections) -> Iterator[Finding]:
    """Yield what keeps the templates of the rules from being templates."""
    for entry in sections.valid("templates"):
        audience = audience_of(entry)
        if audience is None:
            fix = "add audience: responder, management or public"
            yield entry.find("E012", f'the template "{entry.name}" does not say whom it is for', fix=fix, key=True)
            continue
        for at, source in sources_of(entry.part):
            yield from _faults(entry, at, source, audience)


def sources_of(part: TemplatePart) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every source text with its place below the entry."""
    for kind in WORDED_KINDS:
        for language, given in getattr(part, kind.value).items():
            for key in ("subject", "text"):
                source = getattr(given, key, "")
                if source:
                    yield (kind.value, language, key), source


def placed(entry: Entry, at: tuple[str, ...], finding: Finding, line: int, word: str = "") -> Finding:
    """Return a finding about the text at `at` moved to a `line` of it (from 1, 0 = its start), to `word` when there."""
    path = entry.path
    for step in at:
        if (*path, step) in entry.document.places:
            path = (*path, step)
    below = path in entry.document.blocks
    row = finding.line + (max(line, 1) if below else 0)
    lines = entry.document.lines
    text = lines[row - 1] if 0 < row <= len(lines) else ""
    start = 0 if below else finding.column - 1
    found = next((place for mark in (word, *MARKS) if mark and (place := text.find(mark, start)) >= 0), -1)
    column = found + 1 if found >= 0 else (len(text) - len(text.lstrip()) + 1 if below else finding.column)
    return replace(finding, line=row, column=column)


def _faults(entry: Entry, at: tuple[str, ...], source: str, audience: Audience) -> Iterator[Finding]:
    # Jinja2 is not paid for by rules without templates
    from escalatord.templating.budget import TemplateFailedError  # noqa: PLC0415 - see above
    from escalatord.templating.filters import FILTERS  # noqa: PLC0415 - see above
    from escalatord.templating.sandbox import compiled, find_faults  # noqa: PLC0415 - see above

    names = names_for(audience)
    found = find_faults(source, names)
    for fault in found:
        say, fix = fault.say, fault.fix
        if fault.unknown and "filter" in say:
            fix = suggestion(fault.word, list(FILTERS))
        elif fault.unknown and fault.word in ALL_NAMES:
            say, fix = f'"{fault.word}" is not for the public', f"known: {', '.join(sorted(names))}"
        elif fault.unknown:
            fix = suggestion(fault.word, list(names))
        yield placed(entry, at, entry.find("E015", say, *at, fix=fix), fault.line, fault.word)
    if found:
        return
    try:
        compiled(source, names)  # kept: the first page that needs it does not wait for it
    except TemplateFailedError as error:
        yield placed(entry, at, entry.find("E015", error.say, *at, fix=error.fix), error.line, error.word)
