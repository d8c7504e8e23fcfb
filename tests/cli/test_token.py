"""`token` keeps hashes, shows a token once, and works beside a running daemon."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from escalatord.store.store import Store
from tests.cli.conftest import Run


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    """The flags that name a database of this test."""
    return ["--storage.path", str(tmp_path / "t.db")]


def test_token_is_shown_once_and_stored_as_a_hash(run: Run, place: list[str]) -> None:
    """The one line of output is the token; the database holds its SHA-256 and no more."""
    result = run("token", "create", "ana", "--role", "responder", *place)
    token = result.stdout.strip()
    assert token.startswith("escalatord_")
    assert len(token) > 40
    assert token not in result.stderr
    store = Store(f"sqlite:///{place[1]}")
    store.open()
    (row,) = store.read(lambda tx: tx.tokens())
    store.close()
    assert (row.name, row.role, row.token_hash) == ("ana", "responder", sha256(token.encode()).hexdigest())
    assert token.encode() not in Path(place[1]).read_bytes()


def test_token_list_and_revoke(run: Run, place: list[str]) -> None:
    """Names and roles are listed, never tokens; a revoked one is gone, and cannot be revoked twice."""
    token = json.loads(run("token", "create", "grafana", "--role", "viewer", "--json", *place).stdout)["token"]
    shown = run("token", "list", *place).output
    assert shown.split()[:2] == ["grafana", "viewer"]
    assert token not in shown
    assert run("token", "revoke", "grafana", *place).output == "Revoked grafana.\n"
    assert run("token", "revoke", "grafana", *place).exit_code == 1
    assert run("token", "list", *place).output == "no tokens\n"


def test_token_names_are_taken_once(run: Run, place: list[str]) -> None:
    """A second token of that name is refused with what to do."""
    run("token", "create", "ana", "--role", "admin", *place)
    result = run("token", "create", "ana", "--role", "viewer", *place)
    assert (result.exit_code, "escalatord token revoke ana" in result.output) == (1, True)


def test_token_is_made_beside_a_daemon_that_has_the_database_open(run: Run, place: list[str]) -> None:
    """The daemon's lock is not in the way, and the daemon sees the token at once."""
    daemon = Store(f"sqlite:///{place[1]}")
    daemon.open()
    try:
        assert run("token", "create", "ana", "--role", "viewer", *place).exit_code == 0
        assert [row.name for row in daemon.read(lambda tx: tx.tokens())] == ["ana"]
        assert run("token", "revoke", "ana", *place).exit_code == 0
        assert daemon.read(lambda tx: tx.tokens()) == []
    finally:
        daemon.close()


@pytest.mark.parametrize("verb", [["list"], ["revoke", "x"]], ids=["list", "revoke"])
def test_token_makes_no_database_by_looking(run: Run, place: list[str], verb: list[str]) -> None:
    """A wrong path is said, not made."""
    result = run("token", *verb, *place)
    assert (result.exit_code, "There is no database" in result.output) == (1, True)
    assert not Path(place[1]).exists()


@pytest.mark.parametrize(
    "arguments",
    [["Ana", "--role", "viewer"], ["a b", "--role", "viewer"], ["ana", "--role", "god"], ["ana"]],
    ids=["capital", "blank", "no such role", "no role"],
)
def test_token_create_refuses_bad_names_and_roles(run: Run, place: list[str], arguments: list[str]) -> None:
    """Usage errors are 2."""
    assert run("token", "create", *arguments, *place).exit_code == 2


def test_token_in_a_database_that_cannot_be_is_exit_1(run: Run) -> None:
    """An address that the store refuses is told in its words."""
    result = run("token", "create", "ana", "--role", "viewer", "--storage.url", "mysql://x/y")
    assert (result.exit_code, "not supported" in result.output) == (1, True)


@pytest.mark.parametrize("verb", ["create", "list", "revoke"])
def test_token_verbs_have_examples(run: Run, verb: str) -> None:
    """Help of each ends in an example."""
    assert f"escalatord token {verb}" in run("token", verb, "-h").output.partition("Example:")[2]
