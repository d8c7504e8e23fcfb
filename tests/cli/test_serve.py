"""`serve` hands flags to the daemon, and says in sentences why it cannot start."""

import errno
from pathlib import Path

import pytest

from escalatord.cli import serve
from escalatord.cli.options import shipped_rules
from escalatord.daemon import Options
from escalatord.errors import StoreRefusedError, StoreUnavailableError
from tests.cli.conftest import Run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Collect what the daemon would be started with, instead of starting it."""
    found: list[Options] = []

    def run_it(options: Options, _on_ready: object) -> int:
        found.append(options)
        return 0

    monkeypatch.setattr(serve, "run", run_it)
    return found


def test_serve_without_flags_uses_the_defaults(run: Run, started: list[Options]) -> None:
    """Loopback, `rules`, a database here."""
    assert run("serve").exit_code == 0
    assert started == [Options(rules=Path("rules"), storage_url="sqlite:///escalatord.db")]


def test_serve_hands_every_flag_on(run: Run, started: list[Options]) -> None:
    """Each flag arrives, addresses repeat, durations are seconds."""
    run(
        "serve",
        "--rules=r",
        "--storage.url=sqlite:////var/x.db",
        "--web.listen-address=0.0.0.0:80",
        "--web.listen-address=[::1]:81",
        "--web.external-url=https://esc.example.com/",
        "--web.enable-lifecycle",
        "--config.auto-reload-interval=30s",
        "--log.level=debug",
        "--log.format=json",
    )
    assert started == [
        Options(
            rules=Path("r"),
            storage_url="sqlite:////var/x.db",
            listen=("0.0.0.0:80", "[::1]:81"),
            external_url="https://esc.example.com",
            log_level="debug",
            log_format="json",
            enable_lifecycle=True,
            auto_reload_seconds=30.0,
        )
    ]


def test_serve_takes_the_arguments_of_the_systemd_default_file(run: Run, started: list[Options]) -> None:
    """The names that Prometheus uses work too, and the shipped default file starts."""
    default = (Path(__file__).parents[2] / "contrib" / "systemd" / "escalatord.default").read_text()
    (line,) = [line for line in default.splitlines() if line.startswith("ARGS=")]
    assert run("serve", *line.removeprefix("ARGS=").strip('"').split()).exit_code == 0
    assert started[0].storage_url == "sqlite:////var/lib/escalatord/escalatord.db"


@pytest.mark.parametrize(
    "flag",
    [
        "--web.listen-address=8911",
        "--web.listen-address=:0",
        "--web.listen-address=x:99999",
        "--web.listen-address=a b:1",
        "--web.external-url=esc.example.com",
        "--web.external-url=https://esc.example.com/path",
        "--web.external-url=https://user:pw@esc.example.com",
        "--config.auto-reload-interval=often",
        "--log.level=loud",
    ],
)
def test_serve_refuses_flags_that_make_no_sense(run: Run, started: list[Options], flag: str) -> None:
    """Usage errors are 2, before anything is started."""
    assert run("serve", flag).exit_code == 2
    assert started == []


def test_serve_takes_one_way_of_saying_where_the_database_is(run: Run, started: list[Options]) -> None:
    """Two places would leave one of them unsaid."""
    assert run("serve", "--storage.path=a", "--storage.url=sqlite:///b").exit_code == 2


def test_serve_with_bad_rules_tells_findings_and_exits_3(run: Run, tmp_path: Path) -> None:
    """What `check` would say is said at the start too."""
    (tmp_path / "rules.yaml").write_text("policies: 7\n")
    result = run("serve", "--rules", tmp_path, "--storage.path", tmp_path / "x.db")
    assert result.exit_code == 3
    assert "rules.yaml:1" in result.output


def test_serve_with_no_place_for_the_database_says_so(run: Run, tmp_path: Path) -> None:
    """A real start that the store refuses is a sentence and exit 1."""
    result = run("serve", "--rules", shipped_rules(), "--storage.path", tmp_path / "nowhere" / "x.db")
    assert (result.exit_code, "does not exist" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreRefusedError("another escalatord uses this database"), "another escalatord"),
        (StoreUnavailableError("the disk is full"), "the disk is full"),
        (
            ExceptionGroup("g", [ExceptionGroup("h", [OSError(errno.EADDRINUSE, "address already in use")])]),
            "Give another --web.listen-address",
        ),
    ],
    ids=["refused", "unavailable", "port taken"],
)
def test_serve_that_cannot_start_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """No traceback for what an operator can mend."""

    def fail(*_arguments: object) -> int:
        raise error

    monkeypatch.setattr(serve, "run", fail)
    result = run("serve")
    assert (result.exit_code, told in result.output) == (1, True)


def test_serve_keeps_the_traceback_of_a_defect(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is not dressed up as a sentence."""

    def fail(*_arguments: object) -> int:
        raise ExceptionGroup("g", [RuntimeError("defect")])

    monkeypatch.setattr(serve, "run", fail)
    assert isinstance(run("serve").exception, ExceptionGroup)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--heartbeat.url", "ftp://x"], "write it like https://watch.example.com"),
        (["--heartbeat.url", "nonsense"], "write it like https://watch.example.com"),
        (["--heartbeat.url", "file:nowhere"], 'there is no file "nowhere"'),
        (["--heartbeat.interval", "soon"], "soon"),
    ],
)
def test_a_sign_of_life_that_cannot_be_given_is_refused(
    run: Run, started: list[Options], given: list[str], said: str
) -> None:
    """The address of the dead-man service is looked at before anything starts."""
    result = run("serve", *given)
    assert started == []
    assert result.exit_code == 2
    assert said in result.output


def test_the_address_of_a_dead_man_service_can_be_a_credential(
    run: Run, started: list[Options], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`file:NAME` is read from systemd's credentials, so that no argument list shows it."""
    (tmp_path / "dead-man").write_text("https://watch.example.com/7c1f\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    result = run("serve", "--heartbeat.url", "file:dead-man", "--heartbeat.interval", "30s")
    assert result.exit_code == 0, result.output
    assert (started[0].heartbeat_url, started[0].heartbeat_seconds) == ("https://watch.example.com/7c1f", 30.0)
