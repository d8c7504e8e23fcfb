"""From a directory of YAML to a `Ruleset`, or every reason why not."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from escalatord.config import (
    build,
    build_noise,
    calendars,
    criteria,
    feeds,
    files,
    references,
    suppressions,
    templates,
)
from escalatord.config.addresses import Wiring, wire
from escalatord.config.references import Reference
from escalatord.config.schema import PolicyPart
from escalatord.config.schema_people import SchedulePart
from escalatord.config.secrets import Values
from escalatord.config.sections import Entry, Sections, gather
from escalatord.core.policy import TrackKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import RotationUnit
from escalatord.core.wallclock import parse_when
from escalatord.errors import ConfigError, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A rule set that can be used, what is doubtful about it, and where everything stands (for `lint`)."""

    ruleset: Ruleset
    findings: tuple[Finding, ...]
    sections: Sections
    references: tuple[Reference, ...]
    file_count: int


def load(
    path: Path,
    *,
    environ: Mapping[str, str] | None = None,
    need_secrets: bool = True,
    now: datetime | None = None,
) -> Loaded:
    """Load the rules at `path`, a directory or one file.

    `environ` (default: the process's) gives `${NAME}` and `$CREDENTIALS_DIRECTORY`. With `need_secrets` false, what
    files and variables that are not there would give stands for itself: to check rules where their secrets are not.
    Holidays and calendar files are read for the time around `now` (default: the clock's).
    Raise ConfigError with every error and warning, in order of place, when there is an error.
    """
    found = files.read(path)
    sections = gather(str(path), found)
    values = Values(files.folder_of(path), os.environ if environ is None else environ, required=need_secrets)
    wiring = wire(sections, values)
    moment = now or _present(sections)
    calendars.expand(sections, wiring, moment)
    feeds.locate(sections, wiring, values, files.folder_of(path))
    named = references.references(sections)
    findings = [*sections.findings, *references.check(sections, named), *_meaning(sections), *wiring.findings]
    findings += criteria.check(sections)
    findings += suppressions.check(sections)
    findings += templates.check(sections)
    findings += build_noise.check(sections)
    findings.sort(key=in_order)
    if any(finding.level == "error" for finding in findings):
        raise ConfigError(tuple(findings))
    ruleset, booked = feeds.book(_built(sections, wiring), sections, files.folder_of(path), moment)
    findings = sorted([*findings, *booked], key=in_order)
    if any(finding.level == "error" for finding in booked):
        raise ConfigError(tuple(findings))
    return Loaded(
        ruleset=ruleset,
        findings=tuple(findings),
        sections=sections,
        references=tuple(named),
        file_count=len(found),
    )


def in_order(finding: Finding) -> tuple[str, int, int, str]:
    """Return the key that sorts findings by place."""
    return finding.file, finding.line, finding.column, finding.code


def _present(sections: Sections) -> datetime:
    """Return the present instant where it matters, else some instant: a clock costs more imports than most rules."""
    if sections.valid("calendars") or any(entry.part.ical for entry in sections.valid("schedules")):
        from escalatord.clock import SystemClock  # noqa: PLC0415 - see above

        return SystemClock().now()
    return datetime.min.replace(tzinfo=UTC)


def _built(sections: Sections, wiring: Wiring) -> Ruleset:
    return build.ruleset(sections, wiring)


def _meaning(sections: Sections) -> Iterator[Finding]:
    """Yield what is well-formed and yet means nothing."""
    for entry in sections.valid("policies"):
        yield from _policy(entry)
    for entry in sections.valid("schedules"):
        yield from _schedule(entry)
    for entry in sections.valid("people"):
        for index, span in enumerate(entry.part.away):
            yield from _span(entry, ("away", index), (span.from_, span.to), entry.part.timezone)
    for entry in sections.valid("sources"):
        if entry.part.map is not None and entry.part.adapter != "generic":
            say = f"the {entry.part.adapter} adapter has no field map"
            yield entry.find("E013", say, "map", fix="delete map, or use adapter: generic", key=True)


def _policy(entry: Entry) -> Iterator[Finding]:
    part: PolicyPart = entry.part
    kinds = []
    for name, track in part.tracks.items():
        kind = build.track_kind(name, track)
        kinds.append(kind)
        if kind is None:
            fix = "add kind: technical, stakeholder or compliance"
            yield entry.find(
                "E012", f'the track "{name}" does not say whom it serves', "tracks", name, fix=fix, key=True
            )
        elif track.kind is not None and name in set(TrackKind) and track.kind != name:
            say = f'the track "{name}" is said to be {track.kind}'
            yield entry.find("E013", say, "tracks", name, "kind", fix="give the track another name, or drop kind")
    if part.compliance is not None and TrackKind.COMPLIANCE not in kinds:
        fix = "add tracks: {compliance: {tiers: […]}}"
        yield entry.find("E012", "a compliance clock needs a compliance track", "compliance", fix=fix, key=True)
    given = part.compliance
    for index, seconds in enumerate(given.remind if given else ()):
        if given is not None and seconds >= given.due:
            yield entry.find("E032", "this reminder comes when it is already due", "compliance", "remind", index)


def _schedule(entry: Entry) -> Iterator[Finding]:
    part: SchedulePart = entry.part
    for index, layer in enumerate(part.layers):
        weekly = layer.rotate is not None and layer.rotate[0] is RotationUnit.WEEKLY
        if layer.handoff is not None and layer.handoff[0] is not None and not weekly:
            say = "a weekday means something only in weekly rotations"
            yield entry.find("E024", say, "layers", index, "handoff", fix="write the time alone: 09:00")
    for index, override in enumerate(part.overrides):
        yield from _span(entry, ("overrides", index), (override.from_, override.to), part.timezone)


def _span(entry: Entry, at: tuple[str | int, ...], texts: tuple[str, str], zone: str) -> Iterator[Finding]:
    """Yield what is wrong with the two times between which an override or an absence is."""
    times = []
    for key, text in zip(("from", "to"), texts, strict=True):
        try:
            times.append(parse_when(text, zone))
        except ValueError as error:
            yield entry.find("E024", str(error), *at, key, fix='write it like "2026-12-24 08:00"')
    for start, end in pairwise(times):
        if start >= end:
            what = "override" if at[0] == "overrides" else "absence"
            yield entry.find("E024", f"this {what} ends before it starts", *at, "to")
