"""Copy files and directories by paramiko's SFTPClient, which has the functions of `os`, if `scp` is not possible."""

from __future__ import annotations

import dataclasses
import errno
import os
import shlex
import stat
import threading
from concurrent.futures import Future, wait
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from machinectl.errors import Hint
from machinectl.hosts.login import logged_in, pin_in_store
from machinectl.machines.machine_driver import ssh_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from machinectl.console import Console
    from machinectl.hosts.copy_paths import MachinePath
    from machinectl.hosts.login import Login
    from machinectl.machines.store import Store
    from machinectl.ssh.native.sftp_files import Files
    from machinectl.ssh.openssh.copy_commands import CopyOptions

# Seconds to remove leftovers from a host after ^C.
PATIENCE = 2.0
# scp's exit statuses.
DONE, FAILED = 0, 1
# SFTP's message for every error without its own code, such as a full disk (SSH_FX_FAILURE).
FAILURE = ": Failure"
# scp's MAX_DIR_DEPTH: links may form a loop.
DEEPEST = 64


@dataclasses.dataclass
class FileCopier:
    """`fail` gets a message for each failure."""

    source: Files
    target: Files
    wishes: CopyOptions
    fail: Callable[[str], None]
    # Set from another thread, to end between two messages.
    stopped: threading.Event = dataclasses.field(default_factory=threading.Event)

    def copy(self, source: str, target: str, depth: int = 0) -> None:
        """Copy into the target if it is a directory."""
        try:
            self._copy(source, target, depth)
        except (OSError, UnicodeError) as exc:
            self.source.check()
            self.target.check()
            why = exc.strerror if isinstance(exc, OSError) else "the name is not UTF-8"
            self.fail(f"{source} to {target or '.'}: {why or exc}")

    def _copy(self, source: str, target: str, depth: int) -> None:
        mode_there = mode_of(self.target, target or ".")
        if depth == 0 and mode_there is not None and stat.S_ISDIR(mode_there):
            target = os.path.join(target, os.path.basename(source.rstrip("/")))
            mode_there = mode_of(self.target, target)
        entry = self.source.stat(source)
        mode = entry.st_mode or 0
        if stat.S_ISDIR(mode):
            self._copy_directory(source, target, mode, mode_there, depth)
        elif stat.S_ISREG(mode):
            self._copy_file(source, target, entry.st_size or 0, mode & 0o777 if mode_there is None else None)
        else:
            raise OSError(errno.EINVAL, "not a regular file")
        if self.wishes.preserve:
            self.target.chmod(target, mode & 0o1777)
            self.target.utime(target, (entry.st_atime or 0, entry.st_mtime or 0))

    def _copy_directory(self, source: str, target: str, mode: int, mode_there: int | None, depth: int) -> None:
        if not self.wishes.recursive:
            raise IsADirectoryError(errno.EISDIR, "it is a directory: copy it with -r")
        if depth >= DEEPEST:
            raise OSError(errno.ELOOP, f"directories are more than {DEEPEST} deep here: do links form a loop?")
        if mode_there is None:
            # We need write permission until the contents are copied.
            self.target.mkdir(target, mode & 0o777 | stat.S_IRWXU)
        elif not stat.S_ISDIR(mode_there):
            raise NotADirectoryError(errno.ENOTDIR, "it exists and is not a directory")
        names = self.source.listdir(source)
        if any("/" in name for name in names):
            # These would lead out of the target directory.
            raise OSError(errno.EINVAL, "the server sends invalid file names")
        for name in names:
            self.copy(os.path.join(source, name), os.path.join(target, name), depth + 1)
        if mode_there is None:
            self.target.chmod(target, mode & 0o777)

    def _copy_file(self, source: str, target: str, size: int, new_mode: int | None) -> None:
        count = 0
        with self.target.writer(target, new_mode) as file:
            for piece in self.source.read(source, size):
                if self.stopped.is_set():
                    raise KeyboardInterrupt
                file.write(piece)
                count += len(piece)
        arrived = self.target.stat(target)
        if stat.S_ISREG(arrived.st_mode or 0) and arrived.st_size != count:
            raise OSError(errno.EIO, f"not all of {count} bytes have arrived")


def mode_of(files: Files, path: str) -> int | None:
    """Return a file's mode, or None if there is none."""
    try:
        return files.stat(path).st_mode
    except FileNotFoundError:
        return None


def copy_by_sftp(
    store: Store,
    console: Console,
    sources: Sequence[MachinePath],
    target: MachinePath,
    wishes: CopyOptions,
    login: Login,
) -> int:
    """Return scp's exit status. Raises SSHError."""
    failures: list[str] = []

    def fail(text: str) -> None:
        failures.append(text)
        console.warn(text)

    with ExitStack() as connections:
        to = open_files(store, console, target, login, connections)
        if len(sources) > 1 and (why := why_no_directory(to, target)):
            console.warn(why)
            return FAILED
        opened: dict[tuple[str, str], Files] = {}
        for source in sources:
            if source.login not in opened:
                opened[source.login] = open_files(store, console, source, login, connections)
            copier = FileCopier(opened[source.login], to, wishes, fail)
            run_in_thread(partial(copier.copy, sftp_path(source), sftp_path(target)), copier.stopped)
    explain_sftp_failure("\n".join(failures), target, console)
    return FAILED if failures else DONE


def run_in_thread(work: Callable[[], None], stopped: threading.Event) -> None:
    """Set `stopped` at a signal, and wait a moment: half a message would leave the host waiting."""
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
        wait([ended], PATIENCE)
        raise


def open_files(store: Store, console: Console, place: MachinePath, login: Login, connections: ExitStack) -> Files:
    # paramiko takes 150 ms to load.
    from machinectl.ssh.native.native_session import native_session
    from machinectl.ssh.native.sftp_files import LocalFiles, RemoteFiles

    if place.machine is None:
        return LocalFiles()

    endpoint = ssh_endpoint(place.machine)
    if place.user:
        endpoint = dataclasses.replace(endpoint, user=place.user)
    pin = pin_in_store(store, console, place.machine)
    way = logged_in(place.machine, console, login.for_one_host(), ssh=endpoint, quietly=True, native=True, pin=pin)
    session = native_session(connections.enter_context(way))
    return RemoteFiles(connections.enter_context(session.sftp()), session)


def why_no_directory(to: Files, target: MachinePath) -> str:
    """Return "" if several files can be copied there."""
    try:
        if stat.S_ISDIR(to.stat(sftp_path(target)).st_mode or 0):
            return ""
    except OSError as exc:
        return f"{target}: {exc.strerror or exc}"
    return f"cannot copy several files: {target} is not a directory"


def sftp_path(place: MachinePath) -> str:
    """Return a path that starts at home: SFTP does not expand ~."""
    if place.machine is None:
        return place.path
    at_home = place.path == "~" or place.path.startswith("~/")
    return (place.path[2:].lstrip("/") if at_home else place.path) or "."


def explain_sftp_failure(said: str, target: MachinePath, console: Console) -> None:
    """Suggest checking the disk: SFTP says only "Failure" if it is full."""
    if FAILURE not in said:
        return
    # The host's shell reads a remote path, too.
    path = target.path or "."
    command = (
        ["machinectl ssh", target.machine.name, "df", "-h", shlex.quote(path)] if target.machine else ["df -h", path]
    )
    console.note('SFTP says "Failure" for many errors, such as a full disk', Hint("See", *command))
