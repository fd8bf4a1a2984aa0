"""The files of this computer and of a host, the latter by paramiko's SFTPClient, which has the functions of `os`."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import paramiko

from machinectl.process_streams import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from machinectl.ssh.native.native_session import NativeSession

# Bytes in one request that any server accepts, and bytes to request ahead.
PIECE, AHEAD = 1 << 15, 1 << 24
# Seconds for paramiko's threads to end.
PATIENCE = 2.0


class LocalFiles:
    stat = staticmethod(os.stat)
    listdir = staticmethod(os.listdir)
    mkdir = staticmethod(os.mkdir)
    chmod = staticmethod(os.chmod)
    utime = staticmethod(os.utime)

    def check(self) -> None:
        pass

    def read(self, path: str, _size: int) -> Iterator[bytes]:
        with open(path, "rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def writer(self, path: str, mode: int | None) -> IO[bytes]:
        return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o666 if mode is None else mode))


class RemoteFiles:
    """`check` raises SSHError if the connection is lost."""

    def __init__(self, client: paramiko.SFTPClient, session: NativeSession) -> None:
        self.stat, self.listdir, self.mkdir = client.stat, client.listdir, client.mkdir
        self.chmod, self.utime, self.check, self._client = client.chmod, client.utime, session.check_alive, client

    def read(self, path: str, size: int) -> Iterator[bytes]:
        """Yield at most `size` bytes: a server may claim any size."""
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
        """Write to an existing file, or to a new one with `mode`, which nobody else can open before."""
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
            with self.writer(new, None) as file:
                yield file
            self._client.chmod(new, mode)
            self._client.rename(new, path)
        finally:
            for remove, each in ((self._client.remove, new), (self._client.rmdir, private)):
                # Of a lost connection, `check` tells.
                with suppress(OSError, EOFError, paramiko.SSHException):
                    remove(each)


Files = LocalFiles | RemoteFiles


def await_requests() -> None:
    """Let paramiko's threads ask for what they have begun to: on a closed connection each prints a traceback."""
    for thread in threading.enumerate():
        if thread.name.endswith("(_prefetch_thread)"):
            thread.join(PATIENCE)
