"""The ground a database file stands on: which kind of disk, whose it is, and a little room kept for bad days."""

import fcntl
import os
from pathlib import Path

from escalatord.errors import StoreRefusedError

# File locks on these are advisory at best and shared memory between hosts does not exist: SQLite loses data there.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
        "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs",
        "fuse.ceph", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    }
)  # fmt: skip
MOUNTS = Path("/proc/self/mounts")
BALLAST_BYTES = 16 * 1024 * 1024
# Filling the last room with ballast again would bring the next write down: wait until there is this much of it.
BALLAST_ROOM_FACTOR = 2


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds `path`, from the text of /proc/self/mounts; "" when unknown."""
    best, kind = "", ""
    real = os.path.realpath(path)
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 device, place and type; anything shorter is no mount
            continue
        # The kernel writes blanks in names as octal escapes.
        place = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        inside = real == place or real.startswith(place.rstrip("/") + "/")
        # A later mount over the same place hides the earlier one.
        if inside and len(place) >= len(best):
            best, kind = place, fields[2]
    return kind


def refuse_network_file_system(path: Path) -> None:
    """Raise StoreRefusedError when `path` lies on a file system that other machines can write to."""
    try:
        mounts = MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return  # not Linux, or /proc is hidden: nothing is known, so nothing is refused
    kind = file_system_of(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreRefusedError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data; "
            "put --storage.path on a local disk"
        )


class ProcessLock:
    """A lock beside the database that one process holds while it lives; the kernel lets go of it for the dead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; StoreRefusedError when another process has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise StoreRefusedError(
                f"another escalatord (process {holder or 'unknown'}) uses this database; "
                "SQLite serves exactly one, so stop it first"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock. The file stays: removing it would let two processes lock two different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Ballast:
    """Disk space held back for the day the disk is full, so that acks and timers still commit then."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.held = False

    def hold(self) -> None:
        """Hold the space back if there is plenty of it."""
        if self.held:
            return
        try:
            if self._path.exists() and self._path.stat().st_size >= self._size_bytes:
                self.held = True
                return
            if not self.has_room():
                return
            self._allocate()
            self.held = True
        except OSError:
            self.give_up()  # half a ballast only wastes room

    def has_room(self) -> bool:
        """Return whether the disk has plenty of room beside the ballast; False when it does not even say."""
        try:
            room = os.statvfs(self._path.parent)
        except OSError:
            return False
        return room.f_bavail * room.f_frsize >= self._size_bytes * BALLAST_ROOM_FACTOR

    def give_up(self) -> bool:
        """Give the space back to the disk; return whether there was any."""
        was_held, self.held = self.held, False
        self._path.unlink(missing_ok=True)
        return was_held

    def _allocate(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size_bytes)
        finally:
            os.close(descriptor)
