"""Tests beside the rules: `*.test.yaml`, read strictly, every mistake with its place.

A case says when it is, what comes in, what people do, and what is expected of it. All times count from its beginning.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from escalatord.config.fields import Duration, SeverityWord, Text, Window, refuse
from escalatord.config.schema import SCHEMA_DIALECT
from escalatord.config.schema_base import Part
from escalatord.config.sections import Entry, suggestion
from escalatord.config.sentences import sentence
from escalatord.config.strict_yaml import FILE_BYTES_MAX, Document, parse
from escalatord.core.alert import AlertStatus
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration
from escalatord.core.wallclock import parse_when
from escalatord.errors import Finding
from escalatord.ingest.retold import CHANGES_MAX
from escalatord.limits import BODY_BYTES_MAX
from escalatord.notify.simulated import ROOM
from escalatord.sim.people import Script, parse_script
from escalatord.sim.story import Given, Story, StoryError, failures_of

SUFFIXES = (".test.yaml", ".test.yml")
CASES_MAX = 10_000
GIVEN_MAX = 1_000
EXPECTED_MAX = 1_000
AT_DEFAULT = "2026-10-24 03:11 UTC"
UNTIL_SECONDS_DEFAULT = 7200.0
SOURCE_DEFAULT = "alertmanager"
SCHEMA_ID = "urn:escalatord:tests:1"
WAYS = ("incident", "sent", "not_sent", "acked", "pages")

NoticeWord: TypeAlias = Literal[
    "page",
    "remind",
    "last_resort",
    "ack_question",
    "acked",
    "stand_down",
    "update",
    "statutory",
    "milestone",
    "handover",
    "digest",
]


class GivenPart(Part):
    """A body that comes in."""

    source: Text = Field(SOURCE_DEFAULT, description="as whom it is posted")
    body: Text = Field(description="a JSON file, beside the tests or below the rules")
    set_: dict[Text, str | int | float] = Field(
        {}, alias="set", max_length=CHANGES_MAX, description="labels, annotation.NAME and value.NAME to change"
    )
    status: Literal["firing", "resolved"] | None = Field(None, description="default: what each alert says of itself")
    after: Duration = Field(0.0, description="how long after the beginning")


class IncidentPart(Part):
    """An incident: every key given must fit."""

    severity: SeverityWord | None = Field(None, description="the worst it has been")
    opened_severity: SeverityWord | None = None
    policy: Text | None = None
    service: Text | None = None
    rule: Text | None = None
    cause: Literal["threshold", "exception", "unmatched"] | None = None
    state: Literal["open", "acknowledged", "resolved"] | None = Field(None, description="at the end")
    title: Text | None = Field(None, description="words of its title")
    at: Duration | None = Field(None, description="when it opened")
    alerts: Annotated[int, Field(ge=0)] | None = Field(None, description="how many alerts it has")
    count: Annotated[int, Field(ge=0)] | None = Field(None, description="exactly so many incidents like this")


class SentPart(Part):
    """A message that a provider took."""

    to: Text = Field(description="a person, or room")
    by: Text | None = Field(None, description="a channel, or a kind of channel")
    at: Duration | None = Field(None, description="when it was sent")
    contains: Text | None = Field(None, description="words in it, in any case")
    kind: NoticeWord | None = Field(None, description="what it says to the one who gets it")


class AckedPart(Part):
    """Somebody says: mine."""

    by: Text = Field(description="a person")
    after: Duration | None = Field(None, description="how long after the beginning")
    via: Literal["sms", "call", "chat", "link"] | None = None
    track: Text | None = None


class ExpectPart(Part):
    """One thing that must be so."""

    incident: IncidentPart | None = None
    sent: SentPart | None = None
    not_sent: SentPart | None = None
    acked: AckedPart | None = None
    pages: Annotated[int, Field(ge=0)] | None = Field(None, description="how many people are paged")
    because: Text | None = Field(None, description="with pages: words of a rule's reason")

    @model_validator(mode="after")
    def _one_thing(self) -> "ExpectPart":
        given = [way for way in WAYS if way in self.model_fields_set]
        if len(given) != 1:
            raise refuse("E013", "one thing is expected at a time", f"write one of {', '.join(WAYS)}")
        if "because" in self.model_fields_set and given != ["pages"]:
            raise refuse("E013", "because stands with pages only", "write {pages: 0, because: not customer facing}")
        return self


class CasePart(Part):
    """One test."""

    name: Text = Field(description="what is true, in a sentence")
    at: Text | None = Field(None, description='when it begins: "2026-10-24 03:11 Europe/Madrid"')
    given: list[GivenPart] = Field(min_length=1, max_length=GIVEN_MAX, description="what comes in")
    people: dict[Text, Text] = Field({}, description="what people do: {bo: acks by call after 40s}; others: nothing")
    fail: list[Text] = Field([], description="channels or providers that fail: [sms, call=busy]")
    until: Window | None = Field(None, description="when it ends; default 2h")
    expect: list[ExpectPart] = Field(min_length=1, max_length=EXPECTED_MAX, description="what must be so")


class FilePart(Part):
    """One file of tests."""

    at: Text | None = Field(None, description="when its tests begin that say no other time")
    tests: list[CasePart] = Field(max_length=CASES_MAX, description="tests, each a night of its own")


READER = TypeAdapter(CasePart)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One expectation: which of WAYS, what it says, and where it stands (`file:line:column`)."""

    way: str
    part: Any
    place: str
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test of rules that can be run. `place` is where it stands."""

    name: str
    file: str
    place: str
    story: Story
    expected: tuple[Expected, ...]


def read(path: Path, root: Path, ruleset: Ruleset) -> tuple[tuple[Case, ...], tuple[Finding, ...]]:
    """Return the tests of one file, and what is wrong with it; bodies are looked up beside it, then below `root`."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        return (), (Finding(file=str(path), line=0, column=0, code="E001", say=f"cannot be read: {reason}"),)
    document, problems = parse(raw, str(path))
    findings = list(problems)
    cases: list[Case] = []
    if not problems:
        names: dict[str, Entry] = {}
        for entry in _entries(document, findings):
            case = _Reader(entry, (path.parent, root), ruleset, findings).case(entry, document)
            if case is not None and names.setdefault(case.name, entry) is not entry:
                findings.append(entry.find("E006", "another test has this name", "name", fix="say what is different"))
            elif case is not None:
                cases.append(case)
    return tuple(cases), tuple(findings)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of tests, for editors."""
    return {
        "$schema": SCHEMA_DIALECT,
        "$id": SCHEMA_ID,
        "title": "escalatord tests",
        **TypeAdapter(FilePart).json_schema(by_alias=True),
    }


def _entries(document: Document, findings: list[Finding]) -> Iterator[Entry]:
    """Yield what stands under `tests`; anything else but `at` becomes a finding."""
    for key, value in document.value.items():
        whole = Entry(section=key, name=key, path=(key,), document=document)
        if key == "at":
            continue
        if key != "tests":
            say = f'there is no section "{key[:64]}" in a file of tests'
            findings.append(whole.find("E010", say, fix=suggestion(key, ("tests", "at")), key=True))
        elif not isinstance(value, list):
            findings.append(whole.find("E011", "tests must be a list"))
        elif len(value) > CASES_MAX:
            findings.append(whole.find("E007", f"more than {CASES_MAX} tests in one file", fix="split it"))
        else:
            for index in range(len(value)):
                yield Entry(section="tests", name=f"tests[{index}]", path=("tests", index), document=document)
    if "tests" not in document.value:
        file = document.file
        findings.append(Finding(file=file, line=1, column=1, code="E012", say="there is no `tests` section"))


class _Reader:
    """One test being read."""

    def __init__(self, entry: Entry, folders: tuple[Path, Path], ruleset: Ruleset, findings: list[Finding]) -> None:
        self.entry = entry
        self.folders = folders
        self.ruleset = ruleset
        self.findings = findings
        self.whole = True

    def case(self, entry: Entry, document: Document) -> Case | None:
        value: Any = document.value
        for step in entry.path:
            value = value[step]
        try:
            part = READER.validate_python(value)
        except ValidationError as error:
            self.findings += [sentence(entry, problem, READER) for problem in error.errors(include_url=False)]
            return None
        story = self._story(part, str(document.value.get("at") or AT_DEFAULT))
        for index, expected in enumerate(part.expect):
            self._check_names(expected, index)
        if story is None or not self.whole:
            return None
        return Case(
            name=part.name,
            file=document.file,
            place=self._place(),
            story=story,
            expected=tuple(self._expected(expected, index) for index, expected in enumerate(part.expect)),
        )

    def _story(self, part: CasePart, at_default: str) -> Story | None:
        at = self._at(part.at or at_default)
        given = tuple(self._given(each, index) for index, each in enumerate(part.given))
        scripts = {person: script for person in part.people if (script := self._script(person, part.people[person]))}
        try:
            failures = failures_of(part.fail, self.ruleset)
        except StoryError as error:
            self._find("E020", str(error), "fail")
            return None
        if at is None or not self.whole:
            return None
        return Story(
            at=at,
            given=tuple(each for each in given if each is not None),
            scripts=scripts,
            failures=failures,
            until_seconds=part.until or UNTIL_SECONDS_DEFAULT,
        )

    def _at(self, text: str) -> datetime | None:
        try:
            return parse_when(text, "UTC")
        except ValueError as error:
            self._find("E024", str(error), "at", fix='write it like "2026-10-24 03:11 Europe/Madrid"')
            return None

    def _given(self, part: GivenPart, index: int) -> Given | None:
        at = ("given", index)
        self._known("sources", part.source, self.ruleset.sources, *at, "source")
        path = next((found for folder in self.folders if (found := folder / part.body).is_file()), None)
        if path is None:
            self._find("E001", f'there is no file "{part.body[:80]}" here or below the rules', *at, "body")
            return None
        try:
            with path.open("rb") as file:
                content = json.loads(file.read(BODY_BYTES_MAX + 1))
        except (OSError, ValueError) as error:
            self._find("E002", f"{path.name} cannot be read as JSON: {error}", *at, "body")
            return None
        return Given(
            source=part.source,
            content=content,
            changes={key: str(value) for key, value in part.set_.items()},
            status=AlertStatus(part.status) if part.status else None,
            after_seconds=part.after,
        )

    def _script(self, person: str, words: str) -> Script | None:
        self._known("people", person, self.ruleset.people, "people", person)
        try:
            return parse_script(words)
        except ValueError as error:
            self._find("E013", str(error), "people", person)
            return None

    def _check_names(self, part: ExpectPart, index: int) -> None:
        """Find names that lead nowhere: what cannot be is expected in vain, or forbidden in vain."""
        people = {**self.ruleset.people, ROOM: None}
        ways = {name: None for spec in self.ruleset.channels.values() for name in (spec.name, spec.kind.value)}
        for way in ("sent", "not_sent"):
            sent = getattr(part, way)
            if sent is not None:
                self._known("people", sent.to, people, "expect", index, way, "to")
                self._known("channels", sent.by, ways, "expect", index, way, "by")
        if part.acked is not None:
            self._known("people", part.acked.by, people, "expect", index, "acked", "by")
        if part.incident is not None:
            at = ("expect", index, "incident")
            rules = {rule.name: None for rule in self.ruleset.thresholds}
            rules |= {rule.name: None for rule in self.ruleset.exceptions}
            self._known("policies", part.incident.policy, self.ruleset.policies, *at, "policy")
            self._known("rules", part.incident.rule, {**rules, "unmatched": None}, *at, "rule")

    def _expected(self, part: ExpectPart, index: int) -> Expected:
        way = next(way for way in WAYS if way in part.model_fields_set)
        what = getattr(part, way)
        place = self._place("expect", index)
        return Expected(way=way, part=what, place=place, because=part.because or "")

    def _known(self, section: str, name: str | None, known: Mapping[str, object], *at: str | int) -> None:
        if name is not None and name not in known:
            say = f'there is no "{name[:64]}" in {section}'
            self._find("E020", say, *at, fix=suggestion(name, list(known)))

    def _find(self, code: str, say: str, *at: str | int, fix: str = "") -> None:
        self.whole = False
        self.findings.append(self.entry.find(code, say, *at, fix=fix))

    def _place(self, *at: str | int) -> str:
        line, column = self.entry.place(*at)
        return f"{self.entry.document.file}:{line}:{column}"


def described(expected: Expected) -> str:
    """Return an expectation in words: `sent to bo by call at 7m`, as a failure shows it."""
    if expected.way == "pages":
        because = f", because: {expected.because}" if expected.because else ""
        return f"pages {expected.part} people{because}"
    part: BaseModel = expected.part
    told = part.model_dump(exclude_none=True, exclude_unset=True)
    words = [f"{key} {_shown(value)}" for key, value in told.items()]
    return f"{expected.way.replace('_', ' ')} {' '.join(words)}"


def _shown(value: object) -> str:
    return format_duration(value) if isinstance(value, float) else repr(value) if " " in str(value) else str(value)
