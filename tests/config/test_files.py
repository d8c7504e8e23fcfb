"""Which files are rules."""

from pathlib import Path

import pytest

from escalatord.config import files
from escalatord.errors import ConfigError


def names(root: Path) -> list[str]:
    """Return the names of the rule files of `root`."""
    return [file.name for file in files.read(root)]


def test_rules_are_yaml_files_in_order_of_names(tmp_path: Path) -> None:
    """Tests of rules, hidden files and other files are not rules; sub-directories are entered."""
    (tmp_path / "team").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("b.yaml", "a.yml", "x.test.yaml", ".hidden.yaml", "notes.md", "p.json", "team/c.yaml", ".git/d.yaml"):
        (tmp_path / name).write_text("{}")
    assert names(tmp_path) == ["a.yml", "b.yaml", "team/c.yaml"]


def test_one_file_is_a_rule_set_too(tmp_path: Path) -> None:
    """A single file is read whatever its name."""
    (tmp_path / "rules").write_text("{}")
    assert names(tmp_path / "rules") == ["rules"]
    assert files.folder_of(tmp_path / "rules") == tmp_path


def test_a_mounted_configmap_is_read_once_and_its_swap_is_seen(tmp_path: Path) -> None:
    """Files are links into a hidden directory, which is swapped whole; the checksum follows."""
    for version in ("..one", "..two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(f"# {version}")
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    before = files.checksum(tmp_path)
    assert [(file.name, file.raw) for file in files.read(tmp_path)] == [("a.yaml", b"# ..one")]
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert [(file.name, file.raw) for file in files.read(tmp_path)] == [("a.yaml", b"# ..two")]
    assert files.checksum(tmp_path) != before


def test_the_rules_directory_may_be_a_link(tmp_path: Path) -> None:
    """A checkout that is swapped by a link works."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "a.yaml").write_text("{}")
    (tmp_path / "current").symlink_to("v1")
    assert names(tmp_path / "current") == ["a.yaml"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    """No directory is entered twice."""
    (tmp_path / "a.yaml").write_text("{}")
    (tmp_path / "again").symlink_to(".")
    assert names(tmp_path) == ["a.yaml"]


def test_checksum_covers_names_and_bytes(tmp_path: Path) -> None:
    """Moving a byte from a name to a body, or from one file to the next, changes the checksum."""
    seen = set()
    for one, two in (("ab", "c"), ("a", "bc"), ("abc", "")):
        (tmp_path / "a.yaml").write_text(one)
        (tmp_path / "b.yaml").write_text(two)
        seen.add(files.checksum(tmp_path))
    assert len(seen) == 3


@pytest.mark.parametrize("make", ["nothing", "empty", "dangling"])
def test_what_cannot_be_read_is_told(tmp_path: Path, make: str) -> None:
    """A missing path, an empty directory and a link to nowhere are E001."""
    root = tmp_path / "rules"
    if make != "nothing":
        root.mkdir()
    if make == "dangling":
        (root / "a.yaml").symlink_to("gone")
    with pytest.raises(ConfigError) as raised:
        files.read(root)
    assert [finding.code for finding in raised.value.findings] == ["E001"]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    """More files than the limit are refused as a whole."""
    for number in range(files.FILES_MAX + 1):
        (tmp_path / f"{number}.yaml").write_text("")
    with pytest.raises(ConfigError, match="more than 500"):
        files.read(tmp_path)
