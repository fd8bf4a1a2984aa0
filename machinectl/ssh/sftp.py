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
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_HANDLE,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READDIR,
    CMD_REALPATH,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_EXCL,
    SFTP_FLAG_WRITE,
)

from machinectl.ssh.dial import reason
from machinectl.ssh.errors import ConnectionLost, SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import IO, Any

    from machinectl.ssh.copying import Following, Wishes
    from machinectl.ssh.session import Session

# What SFTP's servers take at once, in bytes, and how many answers are awaited at a time: 2 MB are on their way.
CHUNK = 1 << 15
AHEAD = 64
# scp's own limit (MAX_DIR_DEPTH): links may lead in a circle.
DEEPEST = 64
# Where a file grows: nobody's name, and hidden.
GROWING = ".machinectl-"


@dataclass(frozen=True)
class Seen:
    """What a file is, behind all links: of stat(2) what both sides know. What a server leaves out is 0."""

    mode: int
    size: int
    owner: tuple[int, int]
    # When it was read and written last, in seconds.
    times: tuple[float, float]

    @classmethod
    def of(cls, found: os.stat_result | paramiko.SFTPAttributes) -> Self:
        written = found.st_mtime or 0
        return cls(
            found.st_mode or 0,
            found.st_size or 0,
            (found.st_uid or 0, found.st_gid or 0),
            (found.st_atime or written, written),
        )

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


class Side(Protocol):
    """One side of a copy. Raises OSError, and SSHError where the connection is lost."""

    # What is at a path, behind all links; None where nothing is.
    def look(self, path: bytes) -> Seen | None: ...

    # The path without links.
    def real(self, path: bytes) -> bytes: ...

    # What is in a directory.
    def names(self, path: bytes) -> list[bytes]: ...

    def reader(self, path: bytes) -> AbstractContextManager[IO[bytes]]: ...

    # A new file, as the umask lets it be; or what is there, emptied.
    def writer(self, path: bytes, mode: int | None) -> AbstractContextManager[IO[bytes]]: ...

    def make_directory(self, path: bytes, mode: int) -> None: ...

    def set_mode(self, path: bytes, mode: int) -> None: ...

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None: ...

    def set_times(self, path: bytes, times: tuple[float, float]) -> None: ...

    def replace(self, path: bytes, target: bytes) -> None: ...

    def remove(self, path: bytes) -> None: ...


class Here:
    """The side of this computer. See Side."""

    def look(self, path: bytes) -> Seen | None:
        try:
            return Seen.of(os.stat(path))
        except FileNotFoundError:
            return None

    def real(self, path: bytes) -> bytes:
        return os.path.realpath(path)

    def names(self, path: bytes) -> list[bytes]:
        return os.listdir(path)

    def reader(self, path: bytes) -> IO[bytes]:
        return open(path, "rb")

    def writer(self, path: bytes, mode: int | None) -> IO[bytes]:
        if mode is None:
            return open(path, "wb")
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")

    def make_directory(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    set_mode = staticmethod(os.chmod)
    replace = staticmethod(os.replace)
    remove = staticmethod(os.remove)

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None:
        os.chown(path, *owner)

    def set_times(self, path: bytes, times: tuple[float, float]) -> None:
        os.utime(path, times)


class There:
    """The side of a host. See Side."""

    def __init__(self, session: Session) -> None:
        try:
            channel = session.open_channel()
            channel.invoke_subsystem("sftp")
            self._sftp = paramiko.SFTPClient(channel)
        except (paramiko.SSHException, EOFError, OSError) as exc:
            raise SSHError(
                f"{session.settings.address} does not speak SFTP: {reason(exc)}",
                "On the host, in sshd_config: Subsystem sftp internal-sftp",
            ) from exc
        self._address = session.settings.address

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (paramiko.SSHException, EOFError) as exc:
            raise self._lost(exc) from exc
        except OSError as exc:
            if self._sftp.get_channel().closed:  # type: ignore[union-attr]  # it was opened
                raise self._lost(exc) from exc
            raise

    def _lost(self, exc: Exception) -> ConnectionLost:
        return ConnectionLost(f"The connection to {self._address} was lost: {reason(exc)}", "Copy it again")

    def look(self, path: bytes) -> Seen | None:
        with self._translated():
            try:
                return Seen.of(self._sftp.stat(path))
            except FileNotFoundError:
                return None

    def real(self, path: bytes) -> bytes:
        inner: Any = self._sftp
        with self._translated():
            _, answer = inner._request(CMD_REALPATH, path)  # noqa: SLF001 (its `normalize`, which decodes it)
            answer.get_int()
            return answer.get_binary() or path

    def names(self, path: bytes) -> list[bytes]:
        with self._translated():
            names = [name for name in self._listed(path) if name not in {b".", b".."}]
        if any(b"/" in name or b"\0" in name for name in names):
            # It would lead out of the directory that is copied to.
            raise OSError(errno.EINVAL, "the server gives names that no file has")
        return names

    def _listed(self, path: bytes) -> Iterator[bytes]:
        """What its `listdir` finds, in bytes: that one ends where a name is not UTF-8."""
        inner: Any = self._sftp
        handle = inner._request(CMD_OPENDIR, path)[1].get_binary()  # noqa: SLF001 (what `listdir` does)
        with contextlib.suppress(EOFError):  # the end
            while True:
                _, answer = inner._request(CMD_READDIR, handle)  # noqa: SLF001 (the same)
                for _ in range(answer.get_int()):
                    yield answer.get_binary()
                    answer.get_binary()  # the line that `ls -l` would have of it
                    paramiko.SFTPAttributes._from_msg(answer)  # type: ignore[attr-defined]  # noqa: SLF001
        inner._request(CMD_CLOSE, handle)  # noqa: SLF001 (the same)

    @contextlib.contextmanager
    def reader(self, path: bytes) -> Iterator[IO[bytes]]:
        with self._translated(), self._sftp.open(path, "rb") as file:
            if size := file.stat().st_size:
                # Its own `prefetch` lists all pieces first, and the size is the server's word: more than memory holds.
                inner: Any = file
                inner._start_prefetch(pieces(file, size), AHEAD)  # noqa: SLF001 (that `prefetch` ends in it)
            yield file  # type: ignore[misc]  # it reads as one

    @contextlib.contextmanager
    def writer(self, path: bytes, mode: int | None) -> Iterator[IO[bytes]]:
        with self._translated(), self._sftp.open(path, "wb") if mode is None else self._new(path, mode) as file:
            file.set_pipelined(True)
            yield file  # type: ignore[misc]  # it writes as one
            # Its `close` forgets what the last answers said.
            inner: Any = file
            while inner._reqs:  # noqa: SLF001 (paramiko keeps them to itself)
                inner.sftp._read_response(inner._reqs.popleft())  # noqa: SLF001 (the same)

    def _new(self, path: bytes, mode: int) -> paramiko.SFTPFile:
        """A file that is its owner's from the first byte: paramiko's own `open` says no mode."""
        attributes = paramiko.SFTPAttributes()
        attributes.st_mode = mode
        how = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_EXCL
        inner: Any = self._sftp
        kind, answer = inner._request(CMD_OPEN, path, how, attributes)  # noqa: SLF001 (that `open` ends in it)
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("no handle")
        return paramiko.SFTPFile(self._sftp, answer.get_binary(), "wb")

    def make_directory(self, path: bytes, mode: int) -> None:
        with self._translated():
            self._sftp.mkdir(path, mode)

    def set_mode(self, path: bytes, mode: int) -> None:
        with self._translated():
            self._sftp.chmod(path, mode)

    def set_owner(self, path: bytes, owner: tuple[int, int]) -> None:
        with self._translated():
            self._sftp.chown(path, *owner)

    def set_times(self, path: bytes, times: tuple[float, float]) -> None:
        with self._translated():
            self._sftp.utime(path, times)

    def replace(self, path: bytes, target: bytes) -> None:
        with self._translated():
            self._sftp.posix_rename(path, target)

    def remove(self, path: bytes) -> None:
        with self._translated():
            self._sftp.remove(path)


class Copier:
    """Copies from one side to another; `fail` is told of what cannot be copied."""

    def __init__(
        self,
        source: Side,
        target: Side,
        wishes: Wishes,
        *,
        progress: Following,
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
        with self._telling(source):
            found = self.matching(source)
        there = self._to.look(target or b".")
        into = there is not None and there.is_directory
        if len(found) > 1 and not into:
            self._fail(f"{shown(source)} are several, and {shown(target)} is no directory")
            return
        for path in found:
            name = os.path.basename(path.rstrip(b"/"))
            self._try(path, os.path.join(target, name if name.strip(b".") else b".") if into else target, 0)

    def matching(self, source: bytes) -> list[bytes]:
        """What a path may mean: itself, else what is in its directory and has the name that is a pattern."""
        directory, pattern = os.path.split(source)
        if isinstance(self._from, Here) or not set(pattern) & set(b"*?[") or self._from.look(source):
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

    def _copy(self, source: bytes, seen: Seen, target: bytes, depth: int) -> None:
        if seen.is_directory:
            self._copy_directory(source, seen, target, depth)
        elif seen.is_file:
            self._copy_file(source, seen, target)
        else:
            raise OSError(errno.EINVAL, "not a regular file")

    def _copy_directory(self, source: bytes, seen: Seen, target: bytes, depth: int) -> None:
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

    def _copy_file(self, source: bytes, seen: Seen, target: bytes) -> None:
        there = self._to.look(target)
        if there is None:
            self._grow(source, seen, target, None)
        elif there.is_directory:
            raise IsADirectoryError(errno.EISDIR, "that is a directory")
        elif not there.is_file or not self._grow(source, seen, self._to.real(target), there):
            self._write_into(source, seen, target)

    def _grow(self, source: bytes, seen: Seen, target: bytes, there: Seen | None) -> bool:
        """Copy a file under another name, and give it its own in the end; False where that is not for us to do.

        In place of one that is there, it keeps that one's owner and mode.
        """
        growing = os.path.join(os.path.dirname(target), f"{GROWING}{secrets.token_hex(8)}".encode())
        mode = (there or seen).permissions
        made = False
        try:
            with self._to.writer(growing, mode & 0o777) as file:
                made = True
                if there is not None and not self._hand_over(growing, there):
                    return False
                self._transfer(source, seen, file)
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

    def _hand_over(self, path: bytes, there: Seen) -> bool:
        """Give a file the owner and the mode of the one whose place it takes; False where that is not for us to do."""
        try:
            new = self._to.look(path)
            if new is not None and new.owner != there.owner:
                self._to.set_owner(path, there.owner)
            self._to.set_mode(path, there.permissions)
        except OSError:
            return False
        return True

    def _write_into(self, source: bytes, seen: Seen, target: bytes) -> None:
        """Copy a file into one that is there and stays what it is, a device too."""
        with self._to.writer(target, None) as file:
            self._transfer(source, seen, file)
        if self._wishes.preserve:
            self._keep(seen, target)

    def _transfer(self, source: bytes, seen: Seen, file: IO[bytes]) -> None:
        with self._progress(shown(source), seen.size) as tell, self._from.reader(source) as data:
            count = 0
            while piece := data.read(CHUNK):
                file.write(piece)
                count += len(piece)
                tell(count)
            file.flush()
            self._count = count

    def _check(self, path: bytes) -> None:
        """Whether all that was sent has arrived. Raises OSError."""
        arrived = self._to.look(path)
        if arrived is None or arrived.size != self._count:
            raise OSError(errno.EIO, f"of {self._count} bytes not all have arrived")

    def _keep(self, seen: Seen, target: bytes) -> None:
        """Give what was copied the mode and the times of what it was copied from."""
        self._to.set_mode(target, seen.handed_on)
        self._to.set_times(target, seen.times)


def pieces(file: paramiko.SFTPFile, size: int) -> Iterator[tuple[int, int]]:
    """Where the pieces of a file of that size begin, and how long each is, for as long as the file is open."""
    for start in range(0, size, CHUNK):
        if file.closed:
            return
        yield start, min(CHUNK, size - start)


def shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
