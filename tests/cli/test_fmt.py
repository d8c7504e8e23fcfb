"""`escalatord fmt`: writes what is not tidy, and nothing else."""

import json
import os
import stat

UNTIDY = "a:   { b: 1 }   # why\n\n\n\nat: 19:30\n"
TIDY = 'a: {b: 1}   # why\n\nat: "19:30"\n'


def test_untidy_files_are_written(run, tmp_path) -> None:
    """Below a directory, tests included, hidden ones left out; modes stay."""
    (tmp_path / ".git").mkdir()
    for name in ("a.yaml", "b.test.yaml", ".git/c.yaml", "d.txt"):
        (tmp_path / name).write_text(UNTIDY, encoding="utf-8")
    (tmp_path / "e.yaml").write_text(TIDY, encoding="utf-8")
    os.chmod(tmp_path / "a.yaml", 0o640)  # noqa: PTH101 - the mode is the point
    result = run("fmt", tmp_path)
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"written: {tmp_path}/a.yaml", f"written: {tmp_path}/b.test.yaml"]
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == TIDY
    assert stat.S_IMODE((tmp_path / "a.yaml").stat().st_mode) == 0o640
    assert (tmp_path / ".git/c.yaml").read_text(encoding="utf-8") == UNTIDY
    assert run("fmt", tmp_path).output == "all tidy\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "a.yaml", "b.test.yaml", "d.txt", "e.yaml"]


def test_check_writes_nothing_and_fails(run, tmp_path) -> None:
    """For CI: exit 1, and the file stays as it is."""
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY, encoding="utf-8")
    result = run("fmt", "--check", file)
    assert (result.exit_code, result.output) == (1, f"not tidy: {file}\n")
    assert file.read_text(encoding="utf-8") == UNTIDY
    assert json.loads(run("fmt", "--check", file, "--json").output) == {"changed": [str(file)], "findings": []}


def test_what_is_not_yaml_is_told_and_left_alone(run, tmp_path) -> None:
    """Exit 3 with place and sentence; other files are written all the same."""
    (tmp_path / "a.yaml").write_text("a: [\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(UNTIDY, encoding="utf-8")
    result = run("fmt", tmp_path)
    assert result.exit_code == 3
    assert f"{tmp_path}/a.yaml:2:1 E003" in result.output
    assert (tmp_path / "b.yaml").read_text(encoding="utf-8") == TIDY
