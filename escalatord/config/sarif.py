"""Findings as SARIF 2.1.0, for code review: each at its line, with what its code means.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0. Files are named relative to where
`check` was started, as review tools want them; lines and columns count from 1, columns in characters.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from escalatord import __version__
from escalatord.config.codes import CODES, level_of
from escalatord.errors import Finding

SARIF_VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(findings: Sequence[Finding], path: Path, proof: Mapping[str, object]) -> str:
    """Return findings about the rules at `path` as one SARIF log; the `proof` stands in the properties of its run."""
    codes = list(CODES)
    run = {
        "tool": {
            "driver": {
                "name": "escalatord check",
                "version": __version__,
                "rules": [_rule(code) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, path, codes) for finding in findings],
        "properties": {"proof": proof},
    }
    return json.dumps({"$schema": SCHEMA, "version": SARIF_VERSION, "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(code: str) -> Mapping[str, object]:
    title, help_text = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": title},
        "fullDescription": {"text": f"{title[:1].upper()}{title[1:]}."},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": level_of(code)},
    }


def _result(finding: Finding, path: Path, codes: Sequence[str]) -> Mapping[str, object]:
    text = f"{finding.say}. Fix: {finding.fix}" if finding.fix else finding.say
    physical: dict[str, object] = {"artifactLocation": {"uri": _uri(finding.file, path)}}
    if finding.line:
        physical["region"] = {"startLine": finding.line, "startColumn": max(1, finding.column)}
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": finding.level,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
    }


def _uri(file: str, path: Path) -> str:
    """Return where a file is, from where `check` was started: the finding names it below the rules."""
    whole = path if file == str(path) or not path.is_dir() else path / file
    return quote(PurePosixPath(whole).as_posix())
