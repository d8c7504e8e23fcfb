"""Which files are rules, and their bytes.

A rule set is a directory (read with its sub-directories, in order of names) or one file. Hidden names are skipped: in a
mounted ConfigMap the files are links into a hidden `..data` directory, which is swapped whole.
`*.test.yaml` are tests of rules, not rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from escalatord.config.strict_yaml import FILE_BYTES_MAX
from escalatord.errors import ConfigError, Finding

FILES_MAX = 500
FOLDER_DEPTH_MAX = 8
SUFFIXES = (".yaml", ".yml")
TEST_SUFFIXES = (".test.yaml", ".test.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """A file of rules: its name below the rules directory, and what it holds."""

    name: str
    raw: bytes


def read(root: Path) -> tuple[RuleFile, ...]:
    """Return every rule file of `root`, by name. Raise ConfigError (E001, E007) when that cannot be done whole."""
    files: list[RuleFile] = []
    findings: list[Finding] = []
    try:
        paths = list(_paths(root))
    except OSError as error:
        raise ConfigError((_unreadable(str(root), error),)) from None
    if len(paths) > FILES_MAX:
        raise ConfigError((_finding(str(root), "E007", f"more than {FILES_MAX} rule files", "put them together"),))
    for name, path in paths:
        try:
            with path.open("rb") as file:
                files.append(RuleFile(name=name, raw=file.read(FILE_BYTES_MAX + 1)))
        except OSError as error:
            findings.append(_unreadable(name, error))
    if not paths:
        findings.append(_finding(str(root), "E001", "there are no rule files (*.yaml)", "give the rules directory"))
    if findings:
        raise ConfigError(tuple(findings))
    return tuple(files)


def checksum(root: Path) -> str:
    """Return the SHA-256 (hex) of names and bytes of every rule file: changes when a reload could matter.

    Raise ConfigError when the files cannot be read.
    """
    digest = sha256()
    for file in read(root):
        digest.update(f"{len(file.name)}:{file.name}{len(file.raw)}:".encode())
        digest.update(file.raw)
    return digest.hexdigest()


def fingerprint(rules: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what tells one state of the rule files from another: name, size and time of each, links followed."""
    paths = sorted(rules.rglob("*.y*ml")) if rules.is_dir() else [rules]
    found = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            continue  # between two states of a mounted volume; the next look sees the new one
        found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def folder_of(root: Path) -> Path:
    """Return the directory that references beside the rules are looked up in."""
    return root if root.is_dir() else root.parent


def _paths(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name, path) of rule files in order of names; follow links, but enter no directory twice."""
    if not root.is_dir():
        if not root.exists():
            raise FileNotFoundError(2, "no such file or directory")
        yield root.name, root
        return
    seen: set[Path] = set()
    waiting = [("", root)]
    found: list[tuple[str, Path]] = []
    while waiting:
        prefix, folder = waiting.pop()
        real = folder.resolve()
        if real in seen:
            continue
        seen.add(real)
        for path in folder.iterdir():
            name = f"{prefix}{path.name}"
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if name.count("/") < FOLDER_DEPTH_MAX:
                    waiting.append((f"{name}/", path))
            elif path.name.endswith(SUFFIXES) and not path.name.endswith(TEST_SUFFIXES):
                found.append((name, path))
    yield from sorted(found)


def _finding(file: str, code: str, say: str, fix: str) -> Finding:
    return Finding(file=file, line=0, column=0, code=code, say=say, fix=fix)


def _unreadable(file: str, error: OSError) -> Finding:
    reason = (error.strerror or "unknown reason").lower()
    return _finding(file, "E001", f"cannot be read: {reason}", "check the path and who may read it")
