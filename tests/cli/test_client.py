"""Asking a daemon: every way in which it can fail has its exit code and its sentence."""

from pathlib import Path

import click
import pytest

from escalatord.cli import client
from tests.fakes.processes import free_port

PATH = "/api/v1/incidents"


@pytest.mark.parametrize(
    ("code", "status", "content", "told"),
    [
        (1, 404, {"error": "unknown_incident", "say": "There is no incident 9.", "fix": "List them."}, "List them."),
        (1, 500, b"<html>", "answered 500"),
        (1, 302, b"http://elsewhere.example.com/", "answered 302"),
        (2, 400, {"error": "E101", "at": "/state", "say": "state must be one of open"}, "state must be"),
        (4, 503, {"error": "unavailable", "say": "Nothing can be committed now."}, "Nothing can be committed"),
        (4, 200, b"<html>welcome to nginx</html>", "is not escalatord"),
        (4, 200, [1, 2], "is not escalatord"),
        (5, 401, {"error": "unauthorized", "say": "Who are you?"}, "escalatord token create"),
        (5, 403, {"error": "forbidden", "say": "A viewer may not."}, "escalatord token create"),
    ],
    ids=[
        "not there",
        "broken",
        "redirect is not followed",
        "bad request",
        "cannot commit",
        "another server",
        "another JSON",
        "no token",
        "role too low",
    ],
)
def test_failure_has_its_exit_code_and_sentence(ask, fake, code: int, status: int, content: object, told: str) -> None:
    """What the daemon answers decides the exit code; its sentence is told, and what to do."""
    fake.answers[PATH] = (status, content)
    result = ask("ls")
    assert (result.exit_code, len(fake.asked)) == (code, 1)
    assert told in result.output


def test_daemon_that_is_not_there_is_exit_4_with_how_to_start_it(run) -> None:
    """Nobody listens: 4, the address, and the command that starts one."""
    url = f"http://127.0.0.1:{free_port()}"
    result = run("ls", "--url", url)
    assert result.exit_code == 4
    assert url in result.output
    assert "escalatord serve" in result.output


def test_error_text_of_the_server_cannot_steer_the_terminal(ask, fake) -> None:
    """A sentence from whatever answers is cleaned before it is shown."""
    fake.answers[PATH] = (404, {"say": "gone\x1b[2J\x9b", "fix": "\x07run"})
    shown = ask("ls").output
    assert not set(shown) & {"\x1b", "\x9b", "\x07"}


def test_token_is_sent_from_a_file(ask, fake, tmp_path: Path) -> None:
    """The token comes from a file named by flag or environment, and goes out as a bearer."""
    file = tmp_path / "token"
    file.write_text("escalatord_abc\n")
    fake.answers[PATH] = (200, {"incidents": []})
    assert ask("ls", "--token-file", file).exit_code == 0
    assert ask("ls", ESCALATORD_TOKEN_FILE=str(file)).exit_code == 0
    assert [headers["Authorization"] for headers in fake.headers] == ["Bearer escalatord_abc"] * 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"two\nlines", None], ids=["empty", "binary", "lines", "none"])
def test_bad_token_file_is_a_usage_error_that_does_not_show_it(ask, tmp_path: Path, content: bytes | None) -> None:
    """A token file that holds no token is refused without printing what it holds."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    result = ask("ls", "--token-file", file)
    assert result.exit_code == 2
    assert "two" not in result.output


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "x", "http://", "http://x/?a=b"])
def test_address_that_is_none_of_http_is_a_usage_error(run, url: str) -> None:
    """Only plain HTTP addresses are asked."""
    assert run("ls", "--url", url).exit_code == 2


def test_loopback_goes_through_no_proxy(ask, fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is not for this machine."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    fake.answers[PATH] = (200, {"incidents": []})
    assert ask("ls").exit_code == 0


@pytest.mark.parametrize("name", ["INC-142", "inc-142", "142", " INC-142 "])
def test_incident_may_be_written_in_any_way(name: str) -> None:
    """The number is what counts."""
    assert client.number_of(name) == 142


@pytest.mark.parametrize("name", ["", "INC-", "-1", "1.5", "142; rm", "\u0661", "9" * 16])
def test_what_is_no_incident_is_a_usage_error(name: str) -> None:
    """Anything else is refused before anybody is asked."""
    with pytest.raises(click.UsageError):
        client.number_of(name)
