"""Where a process runs: only what is certain to have ended is called so."""

import os
import subprocess
import sys

import pytest

from escalatord.engine import place


def test_this_process_has_not_ended():
    """It is asking."""
    assert not place.is_over(place.here())


def test_a_process_that_ended_here_is_over():
    """Same boot, same processes, and its number is nobody's."""
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = place.here().rpartition(" ")[0] + " " + done.stdout.decode().strip()
    assert place.is_over(gone)


@pytest.mark.parametrize(
    "told",
    ["", "elsewhere 99999999", "boot pid:[1] 99999999", "{room} ", "{room} x", "{room} -1", "{room} 1"],
    ids=["nothing", "another host", "another container", "no number", "no digits", "a group", "somebody else's"],
)
def test_what_is_not_certain_is_not_over(told):
    """Another host or container may have a process of that number, or not: its lease will tell."""
    assert not place.is_over(told.format(room=place.here().rpartition(" ")[0]))


def test_where_nothing_is_known_nothing_is_certain(monkeypatch, tmp_path):
    """Not on Linux, or /proc is hidden."""
    before = place.here()
    monkeypatch.setattr(place, "BOOT", tmp_path / "none")
    assert place.here() == ""
    assert not place.is_over(before)


def test_another_users_process_lives(monkeypatch):
    """It may not be signalled, so it is there."""

    def denied(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", denied)
    assert not place.is_over(place.here())
