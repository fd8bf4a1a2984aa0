"""Files by SFTP over a session of our own, as scp copies them: links are followed, and one that fails stops no other.

A file gets its name when it is whole, also where another one has it: a full disk and ^C leave what was there. Only one
that is somebody else's, or in a directory that takes no new file, is written to as it stands, as by scp. Paths are
bytes, with slashes, on either side; where they are relative, on a host, they are so to the user's home.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import paramiko
from paramiko.sftp import SFTP_FLAG_CREATE, SFTP_FLAG_EXCL, SFTP_FLAG_TRUNC, SFTP_FLAG_WRITE

from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.sftp_client import (
    LONGEST_DATA,
    SSH_PACKET,
    WINDOW,
    Attributes,
    NotSFTP,
    SFTPClient,
    Writing,
    attributes,
)
from machinectl.ssh.ssh_errors import ConnectionLost, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from machinectl.ssh.client.session import Session
    from machinectl.ssh.openssh.copy_commands import CopyOptions, CopyProgress

    # A piece of a file: its offset and its data.
    Piece = tuple[int, bytes | memoryview]
    Write = Callable[[int, bytes | memoryview], None]

# scp's own limit (MAX_DIR_DEPTH): links may lead in a circle.
DEEPEST = 64
# Where a file grows: nobody's name, and hidden.
GROWING = ".machinectl-"


@dataclass(frozen=True)
class FileInfo:
    """What a file is, behind all links: of stat(2) what both sides know. What a server leaves out is 0."""

    mode: int
    size: int
    owner: tuple[int, int]
    # When it was read and written last, in seconds.
    times: tuple[float, float]

    @classmethod
    def of(cls, found: os.stat_result | Attributes) -> Self:
        times = (found.st_atime or found.st_mtime, found.st_mtime)
        return cls(found.st_mode, found.st_size, (found.st_uid, found.st_gid), times)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)

    @property
    def handed_on(self) -> int:
        """Of the permissions what a copy gets, as scp has it: who made the file does not say as whom the copy runs."""
        return self.permissions & (0o1777 if self.is_directory else 0o777)


class CopySide(Protocol):
    """One side of a copy. Raises OSError, and SSHError where the connection is lost."""

    # What is at a path, behind all links; None where nothing is.
    def look(self, path: bytes) -> FileInfo | None: ...

    # The path without links.
    def real(self, path: bytes) -> bytes: ...

    # What is in a directory.
    def names(self, path: bytes) -> list[bytes]: ...

    # The pieces of a file, in any order. Its size may have changed.
    def reader(self, path: bytes, size: int) -> AbstractContextManager[Iterator[Piece]]: ...

    # A new file with the umask's mode, or the existing file, truncated. It takes pieces in any order.
    def writer(self, path: bytes, mode: int | None) -> AbstractContextManager[Write]: ...

    def make_directory(self, path: bytes, mode: int) -> None: ...

    def set_mode(self, path: bytes, mode: int) -> None: ...

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None: ...

    def set_times(self, path: bytes, times: tuple[float, float]) -> None: ...

    def replace(self, path: bytes, target: bytes) -> None: ...

    def remove(self, path: bytes) -> None: ...


class LocalSide:
    """The side of this computer. See Side."""

    def look(self, path: bytes) -> FileInfo | None:
        try:
            return FileInfo.of(os.stat(path))
        except FileNotFoundError:
            return None

    def real(self, path: bytes) -> bytes:
        return os.path.realpath(path)

    def names(self, path: bytes) -> list[bytes]:
        return os.listdir(path)

    @contextlib.contextmanager
    def reader(self, path: bytes, size: int) -> Iterator[Iterator[Piece]]:  # noqa: ARG002 (Side's)
        with open(path, "rb", buffering=0) as file:
            yield ((file.tell() - len(piece), piece) for piece in iter(lambda: file.read(LONGEST_DATA), b""))

    @contextlib.contextmanager
    def writer(self, path: bytes, mode: int | None) -> Iterator[Write]:
        new = os.O_TRUNC if mode is None else os.O_EXCL
        file = os.open(path, os.O_WRONLY | os.O_CREAT | new, 0o666 if mode is None else mode)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                yield lambda place, piece: write_at(file, place, piece)
            else:
                stream = SequentialFile(file)
                yield stream.write
                stream.finish()
        finally:
            os.close(file)

    def make_directory(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    set_mode = staticmethod(os.chmod)
    replace = staticmethod(os.replace)
    remove = staticmethod(os.remove)

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None:
        os.chown(path, *owner)

    def set_times(self, path: bytes, times: tuple[float, float]) -> None:
        os.utime(path, times)


def write_at(file: int, place: int, piece: bytes | memoryview) -> None:
    """Write all of a piece at its offset in a file."""
    left = memoryview(piece)
    while left:
        written = os.pwrite(file, left, place)
        left, place = left[written:], place + written


class SequentialFile:
    """A target that cannot seek, a terminal or a pipe: early pieces wait for those before them."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._place = 0
        self._early: dict[int, bytes | memoryview] = {}

    def write(self, place: int, piece: bytes | memoryview) -> None:
        self._early[place] = piece
        while (next_piece := self._early.pop(self._place, None)) is not None:
            left = memoryview(next_piece)
            self._place += len(left)
            while left:
                left = left[os.write(self._file, left) :]

    def finish(self) -> None:
        if self._early:
            raise OSError(errno.EIO, f"data is missing after {self._place} bytes")


class RemoteSide:
    """The side of a host. See Side; `check` is SFTPClient's."""

    def __init__(self, session: Session, check: Callable[[], None]) -> None:
        self._settings = session.settings
        try:
            self._channel = session.open_channel(window=WINDOW, packet=SSH_PACKET)
            self._client = SFTPClient(self._channel, check)
        except (paramiko.SSHException, EOFError, OSError) as exc:
            raise SSHError(
                f"{self._settings.address} does not speak SFTP: {failure_reason(exc)}",
                "On the host, in sshd_config: Subsystem sftp internal-sftp",
            ) from exc
        except NotSFTP as exc:
            raise self._not_sftp(exc) from exc

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, EOFError) as exc:
            why = failure_reason(self._channel.get_transport().get_exception() or exc)
            raise ConnectionLost(
                f"The connection to {self._settings.address} was lost: {why}", "Copy it again"
            ) from exc
        except NotSFTP as exc:
            raise self._not_sftp(exc) from exc

    def _not_sftp(self, exc: NotSFTP) -> SSHError:
        return SSHError(
            f"The SFTP server of {self._settings.address} sends something else than SFTP: {exc}",
            f"See whether a start-up file of the shell prints something: ssh {self._settings.login_options} true",
        )

    def look(self, path: bytes) -> FileInfo | None:
        with self._translated():
            try:
                return FileInfo.of(self._client.stat(path))
            except FileNotFoundError:
                return None

    def real(self, path: bytes) -> bytes:
        with self._translated():
            return self._client.realpath(path) or path

    def names(self, path: bytes) -> list[bytes]:
        with self._translated():
            names = [name for name in self._client.names(path) if name not in {b".", b".."}]
        if any(b"/" in name or b"\0" in name for name in names):
            # It would lead out of the directory that is copied to.
            raise OSError(errno.EINVAL, "the server gives names that no file has")
        return names

    @contextlib.contextmanager
    def reader(self, path: bytes, size: int) -> Iterator[Iterator[Piece]]:
        with self._translated():
            handle = self._client.open(path)
            try:
                yield self._client.read(handle, size)
            finally:
                self._client.release(handle)

    @contextlib.contextmanager
    def writer(self, path: bytes, mode: int | None) -> Iterator[Write]:
        with self._translated():
            new = SFTP_FLAG_TRUNC if mode is None else SFTP_FLAG_EXCL
            handle = self._client.open(path, SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | new, mode)
            writing = Writing(self._client, handle)
            try:
                yield writing.write
                writing.finish()
            except OSError:
                # A server limits the open handles.
                self._client.release(handle)
                raise

    def make_directory(self, path: bytes, mode: int) -> None:
        with self._translated():
            self._client.make_directory(path, mode)

    def set_mode(self, path: bytes, mode: int) -> None:
        with self._translated():
            self._client.set_attributes(path, attributes(mode=mode))

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None:
        with self._translated():
            self._client.set_attributes(path, attributes(owner=owner))

    def set_times(self, path: bytes, times: tuple[float, float]) -> None:
        with self._translated():
            self._client.set_attributes(path, attributes(times=times))

    def replace(self, path: bytes, target: bytes) -> None:
        with self._translated():
            self._client.replace(path, target)

    def remove(self, path: bytes) -> None:
        with self._translated():
            self._client.remove(path)


class Copier:
    """Copies from one side to another; `fail` is told of what cannot be copied."""

    def __init__(
        self,
        source: CopySide,
        target: CopySide,
        wishes: CopyOptions,
        *,
        progress: CopyProgress,
        fail: Callable[[str], None],
    ) -> None:
        self._from = source
        self._to = target
        self._wishes = wishes
        self._progress = progress
        self._fail = fail

    def copy(self, source: bytes, target: bytes) -> None:
        """Copy a file or a directory, into a directory where that is what the target is."""
        found: list[bytes] = []
        with self._telling(target):
            there = self._to.look(target or b".")
            into = there is not None and there.is_directory
            with self._telling(source):
                found = self.matching(source)
            if len(found) > 1 and not into:
                self._fail(f"{shown(source)} matches several files, and {shown(target)} is not a directory")
                return
            for path in found:
                name = os.path.basename(path.rstrip(b"/"))
                self._try(path, os.path.join(target, name if name.strip(b".") else b".") if into else target, 0)

    def matching(self, source: bytes) -> list[bytes]:
        """What a path may mean: itself, else what is in its directory and has the name that is a pattern."""
        directory, pattern = os.path.split(source)
        if isinstance(self._from, LocalSide) or not set(pattern) & set(b"*?[") or self._from.look(source):
            return [source]
        names = sorted(name for name in self._from.names(directory or b".") if fnmatch.fnmatchcase(name, pattern))
        return [os.path.join(directory, name) for name in names if name[:1] != b"." or pattern[:1] == b"."] or [source]

    def _try(self, source: bytes, target: bytes, depth: int) -> None:
        """Copy what is at a path, or tell why that cannot be."""
        seen = None
        with self._telling(source):
            seen = self._from.look(source)
            if seen is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if seen is not None:
            with self._telling(source, target):
                self._copy(source, seen, target, depth)

    @contextlib.contextmanager
    def _telling(self, *paths: bytes) -> Iterator[None]:
        """Tell of what fails about a path, or on the way from one to another, and go on."""
        try:
            yield
        except OSError as exc:
            self._fail(f"{' to '.join(map(shown, paths))}: {exc.strerror or exc}")

    def _copy(self, source: bytes, seen: FileInfo, target: bytes, depth: int) -> None:
        if seen.is_directory:
            self._copy_directory(source, seen, target, depth)
        elif seen.is_file:
            self._copy_file(source, seen, target)
        else:
            raise OSError(errno.EINVAL, "not a regular file")

    def _copy_directory(self, source: bytes, seen: FileInfo, target: bytes, depth: int) -> None:
        if not self._wishes.recursive:
            raise IsADirectoryError(errno.EISDIR, "it is a directory: -r copies those")
        if depth >= DEEPEST:
            raise OSError(errno.ELOOP, f"directories are more than {DEEPEST} deep here: a link in a circle?")
        there = self._to.look(target)
        if there is None:
            # Its owner has to write in it meanwhile.
            self._to.make_directory(target, seen.handed_on | stat.S_IRWXU)
        elif not there.is_directory:
            raise NotADirectoryError(errno.ENOTDIR, "that is there, and no directory")
        for name in self._from.names(source):
            self._try(os.path.join(source, name), os.path.join(target, name), depth + 1)
        if self._wishes.preserve:
            self._keep(seen, target)
        elif there is None and seen.mode & stat.S_IRWXU != stat.S_IRWXU:
            self._to.set_mode(target, seen.handed_on)

    def _copy_file(self, source: bytes, seen: FileInfo, target: bytes) -> None:
        there = self._to.look(target)
        if there is None:
            self._grow(source, seen, target, None)
        elif there.is_directory:
            raise IsADirectoryError(errno.EISDIR, "that is a directory")
        elif not there.is_file or not self._grow(source, seen, self._to.real(target), there):
            self._write_into(source, seen, target)

    def _grow(self, source: bytes, seen: FileInfo, target: bytes, there: FileInfo | None) -> bool:
        """Copy a file under another name, and give it its own in the end; False where that is not for us to do.

        In place of one that is there, it keeps that one's owner and mode.
        """
        growing = os.path.join(os.path.dirname(target), f"{GROWING}{secrets.token_hex(8)}".encode())
        mode = (there or seen).permissions
        made = False
        try:
            with self._to.writer(growing, mode & 0o777) as write:
                made = True
                if there is not None and not self._hand_over(growing, there):
                    return False
                self._transfer(source, seen, write)
            self._check(growing)
            if self._wishes.preserve:
                self._keep(seen, growing)
            self._to.replace(growing, target)
        except PermissionError:
            if made or there is None:
                raise
            return False
        else:
            made = False
            return True
        finally:
            if made:
                with contextlib.suppress(OSError, SSHError):
                    self._to.remove(growing)

    def _hand_over(self, path: bytes, there: FileInfo) -> bool:
        """Give a file the owner and the mode of the one whose place it takes; False where that is not for us to do."""
        try:
            new = self._to.look(path)
            if new is not None and new.owner != there.owner:
                self._to.set_owner(path, there.owner)
            self._to.set_mode(path, there.permissions)
        except OSError:
            return False
        return True

    def _write_into(self, source: bytes, seen: FileInfo, target: bytes) -> None:
        """Copy a file into one that is there and stays what it is, a device too."""
        with self._to.writer(target, None) as write:
            self._transfer(source, seen, write)
        if self._wishes.preserve:
            self._keep(seen, target)

    def _transfer(self, source: bytes, seen: FileInfo, write: Write) -> None:
        with self._progress(shown(source), seen.size) as tell, self._from.reader(source, seen.size) as pieces:
            count = end = 0
            for place, piece in pieces:
                write(place, piece)
                count, end = count + len(piece), max(end, place + len(piece))
                tell(count)
            if end != count:
                raise OSError(errno.EIO, "a piece in the middle is missing")
            self._count = count

    def _check(self, path: bytes) -> None:
        """Whether all that was sent has arrived. Raises OSError."""
        arrived = self._to.look(path)
        if arrived is None or arrived.size != self._count:
            raise OSError(errno.EIO, f"of {self._count} bytes not all have arrived")

    def _keep(self, seen: FileInfo, target: bytes) -> None:
        """Give what was copied the mode and the times of what it was copied from."""
        self._to.set_mode(target, seen.handed_on)
        self._to.set_times(target, seen.times)


def shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
