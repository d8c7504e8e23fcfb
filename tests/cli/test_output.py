"""What reaches a terminal is aligned, narrow, and has no power over it."""

import pytest

from escalatord.cli import output

HOSTILE = "db\x1b[2J\x1b]0;owned\x07 \x9b31m disk\u202e full\r\nx\x00\ttab\ud800"


def test_clean_takes_every_control_character_away() -> None:
    """Escapes of both kinds, bells, direction changes, NUL and half characters are gone; words stay."""
    assert output.clean(HOSTILE) == "db[2J]0;owned 31m disk full  x tab"


@pytest.mark.parametrize(
    ("expected", "text", "columns"),
    [("abc", "abc", 3), ("ab…", "abcd", 3), ("日…", "日本語", 4), ("日本", "日本", 4), ("", "", 5)],
    ids=["fits", "is cut", "wide signs take two columns", "wide signs fit", "empty"],
)
def test_cut_counts_columns(expected: str, text: str, columns: int) -> None:
    """A cut line never takes more columns than it may."""
    assert output.cut(text, columns) == expected
    assert output.width(output.cut(text, columns)) <= columns


def test_table_aligns_columns_and_cuts_the_last() -> None:
    """Columns start below each other, also after wide characters; no line is wider than the terminal may be."""
    lines = output.table([["a", "日本", "x" * 200], ["bbb", "c", "d"]])
    assert lines[1] == "bbb  c     d"
    assert lines[0].startswith("a    日本  xxx")
    assert output.width(lines[0]) <= output.COLUMNS_MAX


def test_section_wraps_beside_its_key() -> None:
    """Long reasons are wrapped below each other, beside the key; nothing to say says nothing."""
    lines = output.section("why", ["word " * 30])
    assert lines[0].startswith("why             word")
    assert all(len(line) <= output.COLUMNS_MAX for line in lines)
    assert lines[1].startswith(" " * output.KEY_COLUMNS + "word")
    assert output.section("why", []) == []


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and dumb terminals get none, pipes neither."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.coloured()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.coloured()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not output.coloured()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert not output.coloured()


def test_painting_changes_words_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A severity in colour is still the same line, and part of another word stays as it is."""
    monkeypatch.setattr(output, "coloured", lambda: True)
    assert "\x1b[31mcritical\x1b[0m" in output._painted("INC-1  critical  open")
    assert output._painted("opened critically") == "opened critically"
    output.say(["a", "b"])
    assert capsys.readouterr().out == "a\nb\n"


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON carries hostile text as escapes: no byte of it can steer a terminal."""
    output.say_json({"title": "\x1b\x9b\u202e"}, lines=True)
    assert capsys.readouterr().out == '{"title": "\\u001b\\u009b\\u202e"}\n'


def test_times_are_told_in_the_zone_of_the_terminal() -> None:
    """Instants of the API are shown as wall time; what is none shows a dash."""
    assert output.clock("2026-10-24T01:11:14Z") == "01:11:14"
    assert output.clock("2026-10-24T03:11:14+02:00", day=True) == "2026-10-24 01:11:14 UTC"
    assert output.clock(None) == "-"
    assert output.clock("2026-10-24T01:11:14") == "-"
    assert output.seconds_between("2026-10-24T01:11:14Z", "2026-10-24T01:12:14Z") == 60.0
    assert output.seconds_between(None, "2026-10-24T01:12:14Z") is None
