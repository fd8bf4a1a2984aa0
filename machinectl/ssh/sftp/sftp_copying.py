"""Copy files as scp does: follow links, continue after errors.

A file gets its name only when complete, so that a full disk or ^C keeps the old one. Exceptions: another user's file,
or a directory that takes no new file. Paths are bytes with slashes; on a host, relative to the user's home.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import paramiko
from paramiko.sftp import SFTP_FLAG_CREATE, SFTP_FLAG_EXCL, SFTP_FLAG_TRUNC, SFTP_FLAG_WRITE

from machinectl.process_streams import write_at
from machinectl.ssh.client.handshake import failure_reason
from machinectl.ssh.client.own_session import paramiko_session
from machinectl.ssh.sftp.sftp_client import (
    LONGEST_DATA,
    SSH_PACKET,
    WINDOW,
    NotSFTP,
    RemoteWriter,
    SFTPClient,
    encode_attributes,
)
from machinectl.ssh.ssh_errors import ConnectionLost, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machinectl.ssh.client.session import SSHSession
    from machinectl.ssh.openssh.copy_commands import CopyOptions, CopyProgress

    # A piece of a file: offset and data.
    Piece = tuple[int, bytes | memoryview]
    Write = Callable[[int, bytes | memoryview], None]
    Owner = tuple[int, int] | None
    Times = tuple[float, float] | None

# scp's MAX_DIR_DEPTH: links may form a loop.
DEEPEST = 64
# Prefix of incomplete files; the dot hides them.
INCOMPLETE = ".machinectl-"


@dataclass(frozen=True)
class FileInfo:
    """stat(2) fields of both sides; 0 if omitted."""

    mode: int
    size: int
    owner: tuple[int, int]
    # Access and modification, in seconds.
    times: tuple[float, float]

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
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
    def copied_permissions(self) -> int:
        """Like scp, drop set-user-ID and set-group-ID."""
        return self.permissions & (0o1777 if self.is_directory else 0o777)


class LocalSide:
    """Raises OSError; RemoteSide also SSHError if the connection is lost."""

    # Follow links; return None if there is no file.
    def look(self, path: bytes) -> FileInfo | None:
        try:
            return FileInfo.of(os.stat(path))
        except FileNotFoundError:
            return None

    def real(self, path: bytes) -> bytes:
        return os.path.realpath(path)

    def names(self, path: bytes) -> list[bytes]:
        return os.listdir(path)

    # Yield a file's pieces in any order; its size may have changed.
    @contextlib.contextmanager
    def reader(self, path: bytes, size: int) -> Iterator[Iterator[Piece]]:  # noqa: ARG002 (RemoteSide's)
        with open(path, "rb", buffering=0) as file:
            yield ((file.tell() - len(piece), piece) for piece in iter(lambda: file.read(LONGEST_DATA), b""))

    # Accept pieces in any order. Without a mode, truncate an existing file.
    @contextlib.contextmanager
    def writer(self, path: bytes, mode: int | None) -> Iterator[Write]:
        new = os.O_TRUNC if mode is None else os.O_EXCL
        file = os.open(path, os.O_WRONLY | os.O_CREAT | new, 0o666 if mode is None else mode)
        try:
            if stat.S_ISREG(os.fstat(file).st_mode):
                yield lambda place, piece: write_at(file, piece, place)
            else:
                stream = SequentialFile(file)
                yield stream.write
                stream.finish()
        finally:
            os.close(file)

    def make_directory(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    replace = staticmethod(os.replace)
    remove = staticmethod(os.remove)

    # Change what is given. SFTP servers set the mode first, and a new owner clears bits of it.
    def set_attributes(self, path: bytes, mode: int | None = None, owner: Owner = None, times: Times = None) -> None:
        if mode is not None:
            os.chmod(path, mode)
        if owner is not None:
            os.chown(path, *owner)
        if times is not None:
            os.utime(path, times)


class SequentialFile:
    """For a terminal or pipe, which cannot seek."""

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
    def __init__(self, session: SSHSession, check: Callable[[], None]) -> None:
        self._settings = session.settings
        try:
            self._channel = paramiko_session(session).open_channel(window=WINDOW, packet=SSH_PACKET)
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
            f"The SFTP server of {self._settings.address} sends something other than SFTP: {exc}",
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
            # These would lead out of the target directory.
            raise OSError(errno.EINVAL, "the server sends invalid file names")
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
            writer = RemoteWriter(self._client, handle)
            try:
                yield writer.write
                writer.finish()
            except OSError:
                # A server limits open handles.
                self._client.release(handle)
                raise

    def make_directory(self, path: bytes, mode: int) -> None:
        with self._translated():
            self._client.make_directory(path, mode)

    def set_attributes(self, path: bytes, mode: int | None = None, owner: Owner = None, times: Times = None) -> None:
        with self._translated():
            self._client.set_attributes(path, encode_attributes(mode=mode, owner=owner, times=times))

    def replace(self, path: bytes, target: bytes) -> None:
        with self._translated():
            self._client.replace(path, target)

    def remove(self, path: bytes) -> None:
        with self._translated():
            self._client.remove(path)


CopySide = LocalSide | RemoteSide


@dataclass
class Copier:
    """`fail` gets a message for each failure."""

    source: CopySide
    target: CopySide
    wishes: CopyOptions
    progress: CopyProgress
    fail: Callable[[str], None]

    def copy(self, source: bytes, target: bytes) -> None:
        """Copy into the target if it is a directory."""
        found: list[bytes] = []
        with self._reported(target):
            there = self.target.look(target or b".")
            into = there is not None and there.is_directory
            with self._reported(source):
                found = self.matching(source)
            if len(found) > 1 and not into:
                self.fail(
                    f"{printable_path(source)} matches several files, and {printable_path(target)} is not a directory"
                )
                return
            for path in found:
                name = os.path.basename(path.rstrip(b"/"))
                self._try(path, os.path.join(target, name if name.strip(b".") else b".") if into else target, 0)

    def matching(self, source: bytes) -> list[bytes]:
        """Expand a remote pattern in the last part."""
        directory, pattern = os.path.split(source)
        if isinstance(self.source, LocalSide) or not set(pattern) & set(b"*?[") or self.source.look(source):
            return [source]
        names = sorted(name for name in self.source.names(directory or b".") if fnmatch.fnmatchcase(name, pattern))
        return [os.path.join(directory, name) for name in names if name[:1] != b"." or pattern[:1] == b"."] or [source]

    def _try(self, source: bytes, target: bytes, depth: int) -> None:
        info = None
        with self._reported(source):
            info = self.source.look(source)
            if info is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if info is not None:
            with self._reported(source, target):
                self._copy(source, info, target, depth)

    @contextlib.contextmanager
    def _reported(self, *paths: bytes) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            self.fail(f"{' to '.join(map(printable_path, paths))}: {exc.strerror or exc}")

    def _copy(self, source: bytes, info: FileInfo, target: bytes, depth: int) -> None:
        if info.is_directory:
            self._copy_directory(source, info, target, depth)
        elif info.is_file:
            self._copy_file(source, info, target)
        else:
            raise OSError(errno.EINVAL, "not a regular file")

    def _copy_directory(self, source: bytes, info: FileInfo, target: bytes, depth: int) -> None:
        if not self.wishes.recursive:
            raise IsADirectoryError(errno.EISDIR, "it is a directory: copy it with -r")
        if depth >= DEEPEST:
            raise OSError(errno.ELOOP, f"directories are more than {DEEPEST} deep here: do links form a loop?")
        there = self.target.look(target)
        if there is None:
            # We need write permission until the contents are copied.
            self.target.make_directory(target, info.copied_permissions | stat.S_IRWXU)
        elif not there.is_directory:
            raise NotADirectoryError(errno.ENOTDIR, "it exists and is not a directory")
        for name in self.source.names(source):
            self._try(os.path.join(source, name), os.path.join(target, name), depth + 1)
        if self.wishes.preserve:
            self._preserve(info, target)
        elif there is None and info.mode & stat.S_IRWXU != stat.S_IRWXU:
            self.target.set_attributes(target, mode=info.copied_permissions)

    def _copy_file(self, source: bytes, info: FileInfo, target: bytes) -> None:
        there = self.target.look(target)
        if there is None:
            self._copy_and_rename(source, info, target, None)
        elif there.is_directory:
            raise IsADirectoryError(errno.EISDIR, "that is a directory")
        elif not there.is_file or not self._copy_and_rename(source, info, self.target.real(target), there):
            self._write_into(source, info, target)

    def _copy_and_rename(self, source: bytes, info: FileInfo, target: bytes, there: FileInfo | None) -> bool:
        """Return False if not permitted. Keeps a replaced file's owner and mode."""
        growing = os.path.join(os.path.dirname(target), f"{INCOMPLETE}{secrets.token_hex(8)}".encode())
        mode = (there or info).permissions
        made = False
        try:
            with self.target.writer(growing, mode & 0o777) as write:
                made = True
                if there is not None and not self._take_ownership(growing, there):
                    return False
                self._transfer(source, info, write)
            self._check(growing)
            if self.wishes.preserve:
                self._preserve(info, growing)
            self.target.replace(growing, target)
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
                    self.target.remove(growing)

    def _take_ownership(self, path: bytes, there: FileInfo) -> bool:
        """Return False if not permitted."""
        try:
            new = self.target.look(path)
            if new is not None and new.owner != there.owner:
                self.target.set_attributes(path, owner=there.owner)
            self.target.set_attributes(path, mode=there.permissions)
        except OSError:
            return False
        return True

    def _write_into(self, source: bytes, info: FileInfo, target: bytes) -> None:
        with self.target.writer(target, None) as write:
            self._transfer(source, info, write)
        if self.wishes.preserve:
            self._preserve(info, target)

    def _transfer(self, source: bytes, info: FileInfo, write: Write) -> None:
        with self.progress(printable_path(source), info.size) as tell, self.source.reader(source, info.size) as pieces:
            count = end = 0
            for place, piece in pieces:
                write(place, piece)
                count, end = count + len(piece), max(end, place + len(piece))
                tell(count)
            if end != count:
                raise OSError(errno.EIO, "a piece in the middle is missing")
            self._count = count

    def _check(self, path: bytes) -> None:
        """Raise OSError if data is missing."""
        arrived = self.target.look(path)
        if arrived is None or arrived.size != self._count:
            raise OSError(errno.EIO, f"not all of {self._count} bytes have arrived")

    def _preserve(self, info: FileInfo, target: bytes) -> None:
        self.target.set_attributes(target, mode=info.copied_permissions, times=info.times)


def printable_path(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
