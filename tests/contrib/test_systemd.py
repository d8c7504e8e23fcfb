"""The systemd unit says what the daemon needs, and allows little else."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CONTRIB = Path(__file__).parent.parent.parent / "contrib" / "systemd"
UNIT = CONTRIB / "escalatord.service"
EXPOSURE_MAX = 1.2
analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def settings() -> dict[str, list[str]]:
    """Return every `section.name` of the unit with its values in order; anything else in it is an error."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, equals, value = line.partition("=")
        assert equals, line
        found.setdefault(f"{section}.{name}", []).append(value)
    return found


def test_unit_starts_watches_and_restarts_the_daemon() -> None:
    """The daemon is started with the arguments of the default file, watched, and restarted for ever."""
    unit = settings()
    assert unit["Service.Type"][-1] == "notify-reload"
    assert unit["Service.WatchdogSec"] == ["30"]
    assert unit["Service.Restart"] == ["always"]
    assert unit["Unit.StartLimitIntervalSec"] == ["0"]
    assert unit["Service.EnvironmentFile"] == ["-/etc/default/escalatord"]
    assert unit["Service.ExecStart"][0].endswith(" $ARGS")
    assert unit["Service.DynamicUser"] == ["yes"]
    assert unit["Service.StateDirectory"] == ["escalatord"]
    assert "Install.WantedBy" in unit


def test_unit_keeps_secrets_out_of_the_environment() -> None:
    """No secret is set by `Environment=`; credentials are shown how to, commented out."""
    assert not [name for name in settings() if name == "Service.Environment"]
    assert re.findall(r"^#LoadCredential=[\w-]+:/etc/escalatord/", UNIT.read_text(), re.MULTILINE)
    assert not [name for name in settings() if "Credential" in name]


def test_stopping_leaves_time_below_the_limit() -> None:
    """The watchdog and the stop limit are whole seconds that systemd understands without a unit."""
    unit = settings()
    assert all(
        unit[name][0].isdigit() for name in ("Service.WatchdogSec", "Service.TimeoutStopSec", "Service.TimeoutStartSec")
    )


def test_default_file_is_a_shell_assignment_of_args() -> None:
    """The default file sets ARGS and nothing else, in a form that both systemd and a shell read."""
    lines = [
        line for line in (CONTRIB / "escalatord.default").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert len(lines) == 1
    assert re.fullmatch(r'ARGS="(--[a-z.-]+=\S+ ?)+"', lines[0])


@analyze
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """`systemd-analyze verify` has no complaint but, before systemd 253, about the newer Type."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/escalatord", shutil.which("true") or "/bin/true"))
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    ours = [line for line in (answer.stdout + answer.stderr).splitlines() if UNIT.name in line]
    assert [line for line in ours if "notify-reload" not in line] == []


@analyze
def test_exposure_is_low(tmp_path: Path) -> None:
    """`systemd-analyze security` rates the unit at the exposure that a networked service can reach."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text())
    answer = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
    if found is None:
        pytest.skip("this systemd-analyze cannot rate a unit offline")
    assert float(found[1]) <= EXPOSURE_MAX
