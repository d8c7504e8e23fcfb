"""The ground a database stands on."""

import errno
import os
from pathlib import Path

import pytest

from escalatord.errors import StoreRefusedError
from escalatord.store import disk
from escalatord.store.disk import Ballast, ProcessLock, file_system_of, refuse_network_file_system

MOUNTS = """\
/dev/vda / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /srv nfs4 rw 0 0
/dev/vdb /srv/local xfs rw 0 0
//host/share /mnt/with\\040blank cifs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
user@host: /mnt/twice fuse.sshfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x.db", "ext4"),
        ("/srv/x.db", "nfs4"),
        ("/srv/local/x.db", "xfs"),
        ("/srv/localother/x.db", "nfs4"),
        ("/mnt/with blank/deep/x.db", "cifs"),
        ("/mnt/twice/x.db", "fuse.sshfs"),
    ],
)
def test_file_system_is_that_of_the_deepest_mount(path, kind):
    """The longest mount point that holds the path counts, and the later of two at one place."""
    assert kind == file_system_of(Path(path), MOUNTS)


def test_file_system_of_nothing_mounted_is_unknown():
    """Without mounts nothing is known."""
    assert file_system_of(Path("/x"), "") == ""


@pytest.mark.parametrize("kind", sorted(disk.NETWORK_FILE_SYSTEMS))
def test_every_network_file_system_is_refused(tmp_path, monkeypatch, kind):
    """The sentence names the kind and what to do."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"x {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    with pytest.raises(StoreRefusedError, match=rf"\({kind}\).*local disk"):
        refuse_network_file_system(tmp_path / "x.db")


def test_hidden_mounts_refuse_nothing(tmp_path, monkeypatch):
    """Where nothing can be known, nothing is refused."""
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "hidden")
    refuse_network_file_system(tmp_path / "x.db")


def test_lock_is_held_by_one(tmp_path):
    """The second is refused until the first lets go; letting go twice is fine."""
    first, second = ProcessLock(tmp_path / "x.lock"), ProcessLock(tmp_path / "x.lock")
    first.take()
    with pytest.raises(StoreRefusedError, match=str(os.getpid())):
        second.take()
    first.release()
    first.release()
    second.take()
    second.release()


def test_ballast_takes_and_gives_room(tmp_path):
    """It is as large as asked for, and gone when given up."""
    ballast = Ballast(tmp_path / "x.ballast", 8192)
    ballast.hold()
    ballast.hold()
    assert (ballast.held, (tmp_path / "x.ballast").stat().st_size) == (True, 8192)
    assert [ballast.give_up(), ballast.give_up()] == [True, False]
    assert not (tmp_path / "x.ballast").exists()


def test_ballast_of_an_earlier_run_is_kept(tmp_path):
    """A restart does not write it again, unless it is too small."""
    (tmp_path / "x.ballast").write_bytes(b"x" * 10)
    ballast = Ballast(tmp_path / "x.ballast", 8192)
    ballast.hold()
    assert (tmp_path / "x.ballast").stat().st_size == 8192
    again = Ballast(tmp_path / "x.ballast", 4096)
    again.hold()
    assert (again.held, (tmp_path / "x.ballast").stat().st_size) == (True, 8192)


def test_ballast_waits_until_there_is_plenty_of_room(tmp_path):
    """On a disk that is nearly full, the room left is for pages."""
    ballast = Ballast(tmp_path / "x.ballast", 2**62)
    ballast.hold()
    assert (ballast.held, (tmp_path / "x.ballast").exists()) == (False, False)


def test_ballast_that_does_not_fit_leaves_nothing_behind(tmp_path, monkeypatch):
    """Half a ballast only wastes room."""

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    ballast = Ballast(tmp_path / "x.ballast", 8192)
    ballast.hold()
    assert (ballast.held, (tmp_path / "x.ballast").exists()) == (False, False)
