"""Values from outside the rules: found where they are, never shown."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from escalatord.config.secrets import VALUE_BYTES_MAX, Secret, Values, unresolved


def test_a_secret_never_prints_itself() -> None:
    """Whatever turns a secret into text gets a fixed word, or an error."""
    secret = Secret("hunter2")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", "%s" % secret, str([secret]), str(vars)):  # noqa: UP031 - one more way to print
        assert "hunter2" not in text
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)
    with pytest.raises(AttributeError):
        secret.value = "x"  # type: ignore[attr-defined]
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_what_they_hold() -> None:
    """Two equal secrets are one key in a mapping; text is no secret."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert Secret("abc").sha256() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_files_are_looked_up_in_order(tmp_path: Path) -> None:
    """Credentials win over files beside the rules; an absolute path is taken as it is."""
    rules, credentials = tmp_path / "rules", tmp_path / "credentials"
    rules.mkdir()
    credentials.mkdir()
    (rules / "t").write_text("beside\n")
    values = Values(rules, {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert values.secret("file:t") == Secret("beside")
    (credentials / "t").write_text("  credential \r\n")
    assert values.secret("file:t") == Secret("credential")
    assert values.plain(f"file:{rules / 't'}") == "beside"
    assert values.plain("file: t") == "credential"


def test_the_environment_gives_plain_values_only(tmp_path: Path) -> None:
    """A variable may stand anywhere in a plain value, and nowhere in a secret."""
    values = Values(tmp_path, {"HOST": "mail", "DOMAIN": "example.com"})
    assert values.plain("${HOST}.${DOMAIN}") == "mail.example.com"
    assert values.plain("no reference, $HOST") == "no reference, $HOST"
    with pytest.raises(ValueError, match="must not come from the environment"):
        values.secret("${HOST}")


@pytest.mark.parametrize(
    ("name", "raw", "say"),
    [
        ("none", None, 'there is no file "none"'),
        ("empty", b" \n", "is empty"),
        ("binary", b"\xff\xfe\x00", "is not UTF-8"),
        ("large", b"x" * (VALUE_BYTES_MAX + 1), "is larger than 64 KiB"),
        ("", None, "names no file"),
        (".", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, name: str, raw: bytes | None, say: str) -> None:
    """The sentence names the file and the reason, never the content."""
    if raw is not None:
        (tmp_path / name).write_bytes(raw)
    with pytest.raises(ValueError, match=say):
        Values(tmp_path, {}).secret(f"file:{name}")


def test_a_variable_that_is_missing_is_told(tmp_path: Path) -> None:
    """The sentence names the variable."""
    with pytest.raises(ValueError, match="no variable PHONE"):
        Values(tmp_path, {}).plain("${PHONE}")


def test_references_may_stand_for_themselves(tmp_path: Path) -> None:
    """Without the need for secrets, what cannot be followed is kept and known as such."""
    values = Values(tmp_path, {"A": "1"}, required=False)
    assert values.plain("${A}-${B}") == "1-${B}"
    assert values.secret("file:t") == Secret("file:t")
    assert unresolved("1-${B}")
    assert unresolved("file:t")
    assert not unresolved("+34600000001")
