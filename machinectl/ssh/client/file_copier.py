"""Copy files and directories by paramiko's SFTPClient, which has the functions of `os`."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

import paramiko

from machinectl.process_streams import CHUNK
from machinectl.ssh.client.native_session import native_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from machinectl.ssh.client.session import SSHSession
    from machinectl.ssh.openssh.copy_commands import CopyOptions, CopyProgress

# scp's MAX_DIR_DEPTH: links may form a loop.
DEEPEST = 64
# Bytes in one request that any server accepts, and bytes to request ahead.
PIECE, AHEAD = 1 << 15, 1 << 24
# Seconds for paramiko's threads to end.
LINGER = 2.0


class FileTree(Protocol):
    """A computer's files. Raises OSError."""

    def stat(self, path: str, /) -> os.stat_result | paramiko.SFTPAttributes: ...
    def listdir(self, path: str, /) -> list[str]: ...
    def mkdir(self, path: str, mode: int, /) -> None: ...
    def chmod(self, path: str, mode: int, /) -> None: ...
    def utime(self, path: str, times: tuple[float, float], /) -> None: ...

    # Yield a file's content, at most `size` bytes.
    def read(self, path: str, size: int, /) -> Iterator[bytes]: ...

    # Raises SSHError if the connection is lost.
    def check(self) -> None: ...

    # Write to an existing file, or to a new one with `mode`, which nobody else can open before.
    def writer(self, path: str, mode: int | None, /) -> AbstractContextManager[IO[bytes] | paramiko.SFTPFile]: ...


class LocalFiles:
    stat = staticmethod(os.stat)
    listdir = staticmethod(os.listdir)
    mkdir = staticmethod(os.mkdir)
    chmod = staticmethod(os.chmod)
    utime = staticmethod(os.utime)

    def read(self, path: str, _size: int) -> Iterator[bytes]:
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def check(self) -> None:
        pass

    def writer(self, path: str, mode: int | None) -> IO[bytes]:
        return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o666 if mode is None else mode))


def await_requests() -> None:
    """Let paramiko's threads ask for what they have begun to: on a closed connection each prints a traceback."""
    for thread in threading.enumerate():
        if thread.name.endswith("(_prefetch_thread)"):
            thread.join(LINGER)


class RemoteFiles:
    def __init__(self, client: paramiko.SFTPClient, check: Callable[[], None]) -> None:
        self.stat, self.listdir, self.mkdir = client.stat, client.listdir, client.mkdir
        self.chmod, self.utime = client.chmod, client.utime
        self.check, self._client = check, client

    def read(self, path: str, size: int) -> Iterator[bytes]:
        with self._client.open(path, "rb") as file:
            for begin in range(0, size, AHEAD):
                end = min(size, begin + AHEAD)
                for piece in file.readv([(at, min(PIECE, end - at)) for at in range(begin, end, PIECE)]):
                    if not piece:
                        await_requests()
                        return
                    yield piece

    @contextmanager
    def writer(self, path: str, mode: int | None) -> Iterator[paramiko.SFTPFile]:
        if mode is None:
            with self._client.open(path, "wb") as file:
                file.set_pipelined(True)
                yield file
            return
        # SFTPClient names no mode for a new file, but one for a directory.
        private = os.path.join(os.path.dirname(path), f".machinectl-{secrets.token_hex(8)}")
        new = os.path.join(private, "new")
        self._client.mkdir(private, 0o700)
        try:
            with self._client.open(new, "wb") as file:
                file.set_pipelined(True)
                yield file
            self._client.chmod(new, mode)
            self._client.rename(new, path)
        finally:
            for remove, each in ((self._client.remove, new), (self._client.rmdir, private)):
                with suppress(OSError, EOFError, paramiko.SSHException):
                    remove(each)


@contextmanager
def remote_files(session: SSHSession) -> Iterator[RemoteFiles]:
    """Raises SSHError if the host has no SFTP, or the connection is lost."""
    native = native_session(session)
    with native.sftp() as client:
        yield RemoteFiles(client, native.check_alive)


@dataclass
class FileCopier:
    """`fail` gets a message for each failure."""

    source: FileTree
    target: FileTree
    wishes: CopyOptions
    progress: CopyProgress
    fail: Callable[[str], None]
    # Set from another thread, to end between two messages.
    stopped: threading.Event = field(default_factory=threading.Event)

    def copy(self, source: str, target: str, depth: int = 0) -> None:
        """Copy into the target if it is a directory."""
        with self._reported(source, target):
            there = mode_of(self.target, target or ".")
            if depth == 0 and there is not None and stat.S_ISDIR(there):
                target = os.path.join(target, os.path.basename(source.rstrip("/")))
                there = mode_of(self.target, target)
            found = self.source.stat(source)
            mode = found.st_mode or 0
            if stat.S_ISDIR(mode):
                self._copy_directory(source, target, mode, there, depth)
            elif stat.S_ISREG(mode):
                self._copy_file(source, target, found.st_size or 0, mode & 0o777 if there is None else None)
            else:
                raise OSError(errno.EINVAL, "not a regular file")
            if self.wishes.preserve:
                self.target.chmod(target, mode & 0o1777)
                self.target.utime(target, (found.st_atime or 0, found.st_mtime or 0))

    @contextmanager
    def _reported(self, source: str, target: str) -> Iterator[None]:
        try:
            yield
        except (OSError, UnicodeError) as exc:
            self.source.check()
            self.target.check()
            why = exc.strerror if isinstance(exc, OSError) else "the name is not UTF-8"
            self.fail(f"{source} to {target or '.'}: {why or exc}")

    def _copy_directory(self, source: str, target: str, mode: int, there: int | None, depth: int) -> None:
        if not self.wishes.recursive:
            raise IsADirectoryError(errno.EISDIR, "it is a directory: copy it with -r")
        if depth >= DEEPEST:
            raise OSError(errno.ELOOP, f"directories are more than {DEEPEST} deep here: do links form a loop?")
        if there is None:
            # We need write permission until the contents are copied.
            self.target.mkdir(target, mode & 0o777 | stat.S_IRWXU)
        elif not stat.S_ISDIR(there):
            raise NotADirectoryError(errno.ENOTDIR, "it exists and is not a directory")
        names = self.source.listdir(source)
        if any("/" in name for name in names):
            # These would lead out of the target directory.
            raise OSError(errno.EINVAL, "the server sends invalid file names")
        for name in names:
            self.copy(os.path.join(source, name), os.path.join(target, name), depth + 1)
        if there is None:
            self.target.chmod(target, mode & 0o777)

    def _copy_file(self, source: str, target: str, size: int, new_mode: int | None) -> None:
        count = 0
        with self.progress(source, size) as tell, self.target.writer(target, new_mode) as file:
            for piece in self.source.read(source, size):
                if self.stopped.is_set():
                    raise KeyboardInterrupt
                file.write(piece)
                count += len(piece)
                tell(count)
        arrived = self.target.stat(target)
        if stat.S_ISREG(arrived.st_mode or 0) and arrived.st_size != count:
            raise OSError(errno.EIO, f"not all of {count} bytes have arrived")


def mode_of(files: FileTree, path: str) -> int | None:
    """Return a file's mode, or None if there is none."""
    try:
        return files.stat(path).st_mode
    except FileNotFoundError:
        return None


def run_in_thread(work: Callable[[], None], stopped: threading.Event, patience: float) -> None:
    """Set `stopped` at a signal, and wait `patience` seconds: half a message would leave the host waiting."""
    ended: Future[None] = Future()

    def run() -> None:
        try:
            work()
            ended.set_result(None)
        except BaseException as exc:  # noqa: BLE001 - raised again below
            ended.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    try:
        ended.result()
    except (KeyboardInterrupt, SystemExit):
        stopped.set()
        wait([ended], patience)
        raise
