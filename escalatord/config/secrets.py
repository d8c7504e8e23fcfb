"""Values that are not in the rules: secrets from files, plain values from files or the environment.

- `file:NAME` is looked up in `$CREDENTIALS_DIRECTORY` (systemd), then beside the rules, then as an absolute path.
- `${NAME}` is the environment; allowed for plain values, never for secrets: an environment is inherited by children,
  shown by the kernel to the same user, and ends up in crash reports.
- A `Secret` never prints what it holds; `reveal()` is called where it is used and nowhere else.
"""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

VALUE_BYTES_MAX = 64 * 1024
FILE_PREFIX = "file:"
ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)


class Secret:
    """A value that must not be shown."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return the value itself, for the one place that needs it."""
        return str(object.__getattribute__(self, "_value"))

    def sha256(self) -> str:
        """Return the SHA-256 of the value in lower-case hex."""
        return sha256(self.reveal().encode()).hexdigest()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a secret cannot be changed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


class Values:
    """Looks references up. With `required` false one that cannot be followed stands for itself (CI has no secrets)."""

    def __init__(self, root: Path, environ: Mapping[str, str], *, required: bool = True) -> None:
        self._root = root
        self._environ = environ
        self._required = required

    def plain(self, text: str) -> str:
        """Return `text` with its `file:` or `${NAME}` references followed. Raise ValueError with a sentence."""
        if text.startswith(FILE_PREFIX):
            return self._file(text)

        def follow(found: re.Match[str]) -> str:
            name = found.group(1)
            if name in self._environ:
                return self._environ[name]
            if not self._required:
                return found.group()
            raise ValueError(f"the environment has no variable {name}")

        return ENVIRONMENT.sub(follow, text)

    def secret(self, text: str) -> Secret:
        """Return the secret that `text` names or is. Raise ValueError with a sentence that does not repeat it."""
        if text.startswith(FILE_PREFIX):
            return Secret(self._file(text))
        if ENVIRONMENT.search(text):
            raise ValueError("a secret must not come from the environment")
        return Secret(text)

    def _file(self, text: str) -> str:
        name = text.removeprefix(FILE_PREFIX).strip()
        if not name:
            raise ValueError("file: names no file")
        for place in self._places(name):
            try:
                raw = place.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ValueError(f'the file "{name}" cannot be read: {error.strerror}') from None
            return _text_of(raw, name)
        if not self._required:
            return text
        raise ValueError(f'there is no file "{name}", neither among the credentials nor beside the rules')

    def _places(self, name: str) -> list[Path]:
        path = Path(name)
        if path.is_absolute():
            return [path]
        credentials = self._environ.get("CREDENTIALS_DIRECTORY", "")
        return [*([Path(credentials) / name] if credentials else []), self._root / name]


def unresolved(text: str) -> bool:
    """Return whether `text` still is a reference (only with `required` false)."""
    return text.startswith(FILE_PREFIX) or ENVIRONMENT.search(text) is not None


def _text_of(raw: bytes, name: str) -> str:
    if len(raw) > VALUE_BYTES_MAX:
        raise ValueError(f'the file "{name}" is larger than {VALUE_BYTES_MAX // 1024} KiB')
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f'the file "{name}" is not UTF-8 text') from None
    if not text:
        raise ValueError(f'the file "{name}" is empty')
    return text
