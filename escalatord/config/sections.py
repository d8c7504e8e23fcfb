"""From files to validated parts: every section merged over all files, every entry validated by itself.

Entries are validated one by one, so a mistake in one policy does not hide a wrong reference in another: all findings of
all files come at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from escalatord.config.fields import NAME, Name, found
from escalatord.config.files import RuleFile
from escalatord.config.schema import SECTIONS, PolicyPart
from escalatord.config.schema_noise import FlapPart, GroupPart, LimitsPart
from escalatord.config.schema_people import CalendarPart, PersonPart, Plan, Role, SchedulePart, Team
from escalatord.config.schema_rules import (
    ExceptionPart,
    FactPart,
    PrometheusPart,
    ServicePart,
    ThresholdPart,
    UnmatchedPart,
)
from escalatord.config.schema_suppress import SuppressPart
from escalatord.config.schema_templates import TemplatePart
from escalatord.config.schema_wiring import PROVIDERS, SourcePart
from escalatord.config.sentences import sentence
from escalatord.config.strict_yaml import Document, Path, parse
from escalatord.errors import Finding

RULE_SECTIONS = ("thresholds", "exceptions")
LIST_SECTIONS = (*RULE_SECTIONS, "suppress")
SINGLE_SECTIONS = ("unmatched", "prometheus", "flap", "limits")
READERS: Mapping[str, TypeAdapter[Any]] = {
    "facts": TypeAdapter(FactPart),
    "services": TypeAdapter(ServicePart),
    "thresholds": TypeAdapter(ThresholdPart),
    "exceptions": TypeAdapter(ExceptionPart),
    "suppress": TypeAdapter(SuppressPart),
    "regimes": TypeAdapter(Name),
    "prometheus": TypeAdapter(PrometheusPart),
    "unmatched": TypeAdapter(UnmatchedPart),
    "policies": TypeAdapter(PolicyPart),
    "contact_plans": TypeAdapter(Plan),
    "people": TypeAdapter(PersonPart),
    "teams": TypeAdapter(Team),
    "roles": TypeAdapter(Role),
    "schedules": TypeAdapter(SchedulePart),
    "calendars": TypeAdapter(CalendarPart),
    "sources": TypeAdapter(SourcePart),
    "templates": TypeAdapter(TemplatePart),
    "groups": TypeAdapter(GroupPart),
    "flap": TypeAdapter(FlapPart),
    "limits": TypeAdapter(LimitsPart),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One named thing of a section: where it stands, and what it says once it is validated (`part`, else None)."""

    section: str
    name: str
    path: Path
    document: Document
    part: Any = None

    def place(self, *at: str | int, key: bool = False) -> tuple[int, int]:
        """Return (line, column) of the value (or with `key` the key) at `at`, or of the nearest thing around it.

        Parts of `at` that do not stand in the file (a model's own words) are passed over.
        """
        path = self.path
        for step in at:
            if (*path, step) in self.document.places:
                path = (*path, step)
        place = self.document.places[path]
        return (place.line, place.column) if key else (place.value_line, place.value_column)

    def find(self, code: str, say: str, *at: str | int, fix: str = "", key: bool = False) -> Finding:
        """Return a finding about the value (or `key`) at `at`; codes that start with W are warnings."""
        line, column = self.place(*at, key=key)
        level = "warning" if code.startswith("W") else "error"
        return Finding(file=self.document.file, line=line, column=column, code=code, say=say, fix=fix, level=level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """Every entry by section, in order of files, and what is wrong so far.

    `broken` are files that could not be read to their end: what they would have named is not known.
    """

    root: str
    entries: Mapping[str, dict[str, Entry]] = field(default_factory=lambda: {section: {} for section in SECTIONS})
    findings: list[Finding] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def valid(self, section: str) -> list[Entry]:
        """Return the entries of a section that have a part, in order of files."""
        return [entry for entry in self.entries[section].values() if entry.part is not None]


def gather(root: str, files: Iterable[RuleFile]) -> Sections:
    """Parse, merge and validate `files`; findings are in the result."""
    sections = Sections(root=root)
    taken: dict[tuple[str, str], Entry] = {}
    for file in files:
        document, findings = parse(file.raw, file.name)
        sections.findings.extend(findings)
        if not document.whole:
            sections.broken.append(file.name)
        for raw in _entries(document, sections.findings if document.whole else []):
            entry = _validated(raw, sections.findings) if document.whole else raw
            space = "rules" if entry.section in RULE_SECTIONS else entry.section
            first = taken.setdefault((space, entry.name), entry)
            if first is not entry:
                line, column = first.place(key=True)
                where = f"{first.section} at {first.document.file}:{line}:{column}"
                say = f'"{entry.name}" stands twice, first in {where}'
                sections.findings.append(entry.find("E006", say, fix="names are unique over the directory", key=True))
                continue
            sections.entries[entry.section][entry.name] = entry
    if not sections.entries["unmatched"] and not sections.broken:
        fix = "say who gets alerts that no rule matches: unmatched: {severity: warning, policy: NAME}"
        say = "there is no `unmatched` section"
        sections.findings.append(Finding(file=root, line=0, column=0, code="E012", say=say, fix=fix))
    return sections


def unknown(section: str, name: str, known: Sequence[str]) -> tuple[str, str]:
    """Return the sentence and the fix for a name that is not in a section."""
    return f'there is no "{name}" in {section}', suggestion(name, known)


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return what was probably meant, else what there is."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(sorted(known)[:12])
    return f"known: {shown}{', …' if len(known) > 12 else ''}" if known else "there are none yet"  # noqa: PLR2004 - as many as are cut


def _entries(document: Document, findings: list[Finding]) -> Iterator[Entry]:
    """Yield the raw entries of one file; what is no entry becomes a finding."""
    for section, value in document.value.items():
        whole = Entry(section=section, name=section, path=(section,), document=document)
        if section not in SECTIONS:
            say = f'there is no section "{section[:64]}"'
            findings.append(whole.find("E010", say, fix=suggestion(section, SECTIONS), key=True))
        elif value is None:
            continue
        elif section in SINGLE_SECTIONS:
            yield whole
        elif section in LIST_SECTIONS:
            yield from _listed(whole, value, findings)
        elif not isinstance(value, dict):
            findings.append(whole.find("E011", f"{section} must be a mapping of names, found {found(value)}"))
        else:
            yield from _named(whole, value, findings)


def _named(whole: Entry, value: Mapping[str, object], findings: list[Finding]) -> Iterator[Entry]:
    for name in value:
        entry = Entry(section=whole.section, name=name, path=(whole.section, name), document=whole.document)
        if NAME.fullmatch(name):
            yield entry
            continue
        say = f'"{name[:64]}" cannot be a name'
        fix = "use letters, digits, dots, dashes and underscores, at most 64"
        findings.append(entry.find("E013", say, fix=fix, key=True))


def _listed(whole: Entry, value: object, findings: list[Finding]) -> Iterator[Entry]:
    if not isinstance(value, list):
        of = " of rules" if whole.section in RULE_SECTIONS else ""
        findings.append(whole.find("E011", f"{whole.section} must be a list{of}, found {found(value)}"))
        return
    for index, rule in enumerate(value):
        path = (whole.section, index)
        name = rule.get("name") if isinstance(rule, dict) else None
        if not isinstance(name, str):
            name = f"{whole.section}[{index}] of {whole.document.file}"
        yield Entry(section=whole.section, name=name, path=path, document=whole.document)


def _validated(entry: Entry, findings: list[Finding]) -> Entry:
    """Return the entry with its part, or without when it is not valid."""
    value: Any = entry.document.value
    for step in entry.path:
        value = value[step]
    empty = list(_empty(value, ()))
    findings.extend(
        entry.find("E011", "there is nothing after this key", *at, fix="give a value, or delete the key", key=True)
        for at in empty
    )
    reader = READERS[entry.section] if entry.section != "channels" else _channel_reader(entry, value, findings)
    if reader is None or empty:
        return entry
    try:
        part = reader.validate_python(value)
    except ValidationError as error:
        findings.extend(sentence(entry, problem, reader) for problem in error.errors(include_url=False))
        return entry
    return Entry(section=entry.section, name=entry.name, path=entry.path, document=entry.document, part=part)


def _empty(value: object, at: Path) -> Iterator[Path]:
    """Yield the paths of values that are nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _empty(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _empty(inner, (*at, index))
    elif value is None:
        yield at


def _channel_reader(entry: Entry, value: object, findings: list[Finding]) -> TypeAdapter[Any] | None:
    """Return what reads this channel: the model of its provider."""
    if not isinstance(value, dict):
        findings.append(entry.find("E011", f"a channel is a mapping, found {found(value)}", fix="{provider: sim}"))
        return None
    provider = value.get("provider")
    if provider is None:
        fix = f"one of {', '.join(PROVIDERS)}"
        findings.append(entry.find("E012", "`provider` is missing", fix=fix, key=True))
        return None
    if not isinstance(provider, str) or provider not in PROVIDERS:
        word = provider if isinstance(provider, str) else found(provider)
        findings.append(
            entry.find("E013", f'there is no provider "{word[:64]}"', "provider", fix=suggestion(word, list(PROVIDERS)))
        )
        return None
    model: type[BaseModel] = PROVIDERS[provider].model
    return TypeAdapter(model)
