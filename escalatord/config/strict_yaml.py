"""YAML as people type it, read strictly, with the place of everything.

- Plain words are JSON's: `true`, `false`, `null`, `~`, whole numbers, decimals. All else is text exactly as typed:
  `+15551234567`, `19:30`, `NO`, `on`, `0755`, `1e3` and `2026-01-01` survive (YAML 1.1 reads each as something else).
- No anchors, aliases, merge keys or tags: they make small files large and reviews hard.
- A key stands once in a mapping. Keys are text as typed.
- Built from the parser's events in one loop that never recurses, so hostile nesting cannot exhaust the stack.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import yaml

from escalatord.errors import Finding

FILE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32
MAPPING_KEYS_MAX = 10_000

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,17}", re.ASCII)
WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# PyYAML is also shipped without its C parser; the slow one gives the same events.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path: TypeAlias = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a key (or list item) stands and where its value starts; lines and columns count from 1."""

    line: int
    column: int
    value_line: int
    value_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its top-level mapping and the place of every path in it. `whole` is false when reading ended early.

    `lines` are those of the file; `blocks` the paths of texts that start on the line below (`|` and `>`).
    """

    file: str
    value: Mapping[str, object]
    places: Mapping[Path, Place]
    whole: bool = True
    lines: tuple[str, ...] = ()
    blocks: frozenset[Path] = frozenset()


@dataclass(slots=True)
class _Open:
    """A container that is still being read."""

    path: Path
    mapping: dict[str, object] | None = None
    items: list[object] = field(default_factory=list)
    key: str | None = None
    key_mark: tuple[int, int] = (0, 0)
    skip: bool = False


class _Refused(Exception):  # noqa: N818 - not an error to callers; it ends the reading of one file
    """Reading this file ends here, with a finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.say)
        self.finding = finding


def parse(raw: bytes, file: str) -> tuple[Document, tuple[Finding, ...]]:
    """Read one file; return what could be read of it, and every finding.

    Codes: E002 not text, E003 not YAML, E004 anchor, alias or merge key, E005 tag, E006 duplicate key, E007 a limit,
    E008 not one mapping of sections.
    """
    builder = _Builder(file)
    text = ""
    try:
        text = _decode(raw, file)
        builder.lines = tuple(text.split("\n"))
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except _Refused as refused:
        builder.whole = False
        builder.findings.append(refused.finding)
    except yaml.YAMLError as error:
        builder.whole = False
        builder.findings.append(_syntax(error, file, text))
    return builder.document(), tuple(builder.findings)


class _Builder:
    """Values and places out of parser events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []
        self.places: dict[Path, Place] = {}
        self.lines: tuple[str, ...] = ()
        self.blocks: set[Path] = set()
        self.stack: list[_Open] = []
        self.root: object = None
        self.documents = 0
        self.whole = True

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event, mapping=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise self._refuse(event, "E004", "an alias (*) is not allowed", "write the value out where it is used")
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._refuse(event, "E008", "a second document starts here", "one file holds one document")

    def document(self) -> Document:
        """Return what was read; a file without content is an empty mapping."""
        value = self.root
        if value is not None and not isinstance(value, dict) and not self.findings:
            self.findings.append(
                Finding(
                    file=self.file,
                    line=1,
                    column=1,
                    code="E008",
                    say="the file is not a mapping of sections",
                    fix="start with a section such as `policies:`",
                )
            )
        sections = value if isinstance(value, dict) else {}
        return Document(
            file=self.file,
            value=sections,
            places=self.places,
            whole=self.whole,
            lines=self.lines,
            blocks=frozenset(self.blocks),
        )

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._plain_node(event)
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.mapping is not None and frame.key is None:
            self._key(frame, frame.mapping, event)
            return
        value: object = event.value
        if event.implicit[0]:
            value = resolve(event.value)
        path, _repeated = self._put(value, event)
        if event.style in ("|", ">"):
            self.blocks.add(path)

    def _start(self, event: yaml.CollectionStartEvent, *, mapping: bool) -> None:
        self._plain_node(event)
        if len(self.stack) >= DEPTH_MAX:
            raise self._refuse(event, "E007", f"nested deeper than {DEPTH_MAX} levels", "flatten it")
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.mapping is not None and frame.key is None:
            raise self._refuse(event, "E003", "a list or mapping cannot be a key", "put a colon after a plain word")
        opened = _Open(path=(), mapping={} if mapping else None)
        value: object = opened.items if opened.mapping is None else opened.mapping
        opened.path, opened.skip = self._put(value, event)
        self.stack.append(opened)

    def _key(self, frame: _Open, mapping: dict[str, object], event: yaml.ScalarEvent) -> None:
        key = str(event.value)
        mark = _place(event)
        if key == "<<" and event.implicit[0]:
            raise self._refuse(event, "E004", "a merge key (<<) is not allowed", "write the keys out")
        frame.key, frame.key_mark = key, mark
        if key in mapping and not frame.skip:
            first = self.places[(*frame.path, key)]
            self._find(
                event,
                "E006",
                f'"{key[:64]}" stands twice in one mapping, first at {first.line}:{first.column}',
                "keep one of the two",
            )
        if len(mapping) >= MAPPING_KEYS_MAX:
            raise self._refuse(
                event, "E007", f"a mapping with more than {MAPPING_KEYS_MAX} keys", "split it over several files"
            )

    def _put(self, value: object, event: yaml.NodeEvent) -> tuple[Path, bool]:
        """Place a value in its container; return its path, and whether it belongs to a repeated key."""
        line, column = _place(event)
        if not self.stack:
            self.root = value
            self.places[()] = Place(line, column, line, column)
            return (), False
        frame = self.stack[-1]
        if frame.mapping is None:
            path: Path = (*frame.path, len(frame.items))
            frame.items.append(value)
            if not frame.skip:
                self.places[path] = Place(line, column, line, column)
            return path, frame.skip
        key = str(frame.key)
        frame.key = None
        path = (*frame.path, key)
        if frame.skip or key in frame.mapping:
            return path, True
        frame.mapping[key] = value
        self.places[path] = Place(*frame.key_mark, line, column)
        return path, False

    def _plain_node(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            raise self._refuse(event, "E004", "an anchor (&) is not allowed", "write the value out where it is used")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "E005", "a tag (!) is not allowed", "write the value plainly or in quotes")

    def _find(self, event: yaml.Event, code: str, say: str, fix: str) -> None:
        self.findings.append(self._refuse(event, code, say, fix).finding)

    def _refuse(self, event: yaml.Event, code: str, say: str, fix: str) -> _Refused:
        line, column = _place(event)
        return _Refused(Finding(file=self.file, line=line, column=column, code=code, say=say, fix=fix))


def resolve(text: str) -> object:
    """Return what an unquoted word means: one of JSON's words, a number, or itself."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text):
        return float(text)
    return text


def _place(event: yaml.Event) -> tuple[int, int]:
    """Return where an event starts, counted from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)


def _decode(raw: bytes, file: str) -> str:
    if len(raw) > FILE_BYTES_MAX:
        raise _Refused(
            Finding(
                file=file,
                line=0,
                column=0,
                code="E007",
                say=f"the file is larger than {FILE_BYTES_MAX // 1024} KiB",
                fix="split it over several files",
            )
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        raise _Refused(_at(file, before, "E002", "the file is not UTF-8 text", "save it as UTF-8")) from None
    found = FORBIDDEN.search(text)
    if found is not None:
        say = f"the character U+{ord(found.group()):04X} is not allowed"
        raise _Refused(_at(file, text[: found.start()], "E002", say, "delete it"))
    return text


def _at(file: str, before: str, code: str, say: str, fix: str) -> Finding:
    """Return a finding just behind the text `before`."""
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Finding(file=file, line=line, column=column, code=code, say=say, fix=fix)


def _syntax(error: yaml.YAMLError, file: str, text: str) -> Finding:
    if not isinstance(error, yaml.MarkedYAMLError):
        return Finding(file=file, line=0, column=0, code="E003", say=f"not readable as YAML: {error}")
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    lines = text.split("\n")
    here = lines[line - 1] if 0 < line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or here[column - 1 : column] == "\t":
        return Finding(
            file=file, line=line, column=column, code="E003", say="a tab cannot indent YAML", fix="use spaces"
        )
    problem = " ".join(part for part in (error.context, error.problem) if part)
    fix = 'check the indentation and the quotes around text with ": ", "#" or a leading "[", "{", "*", "&", "@"'
    return Finding(file=file, line=line, column=column, code="E003", say=f"not readable as YAML: {problem}", fix=fix)
