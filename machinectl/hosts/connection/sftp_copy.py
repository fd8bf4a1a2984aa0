"""Copy files over our own SFTP if `scp` is not possible."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from machinectl.hosts.connection.login import logged_in, pin_in_store
from machinectl.hosts.connection.machine_driver import ssh_endpoint
from machinectl.ssh.openssh.copy_commands import no_progress
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.connection.copy_paths import MachinePath
    from machinectl.hosts.connection.login import Access
    from machinectl.machines.store import Store
    from machinectl.ssh.openssh.copy_commands import CopyOptions, CopyProgress
    from machinectl.ssh.sftp.sftp_copying import CopySide

# Seconds to remove leftovers from a host after ^C.
PATIENCE = 2.0
# scp's exit statuses.
DONE, FAILED = 0, 1
# SFTP's message for every error without its own code, such as a full disk (SSH_FX_FAILURE).
FAILURE = ": Failure"


def copy_by_sftp(
    store: Store,
    console: Console,
    sources: Sequence[MachinePath],
    target: MachinePath,
    wishes: CopyOptions,
    access: Access,
    progress: CopyProgress,
) -> int:
    """Return scp's exit status. Raises SSHError."""
    from machinectl.ssh.sftp.sftp_copying import Copier

    failures: list[str] = []

    def fail(text: str) -> None:
        failures.append(text)
        console.warn(text)

    interruption = CopyInterruption()
    with ExitStack() as connections:
        to = open_copy_side(store, console, target, access, connections, interruption)
        sides: dict[tuple[str, str], CopySide] = {}
        for source in sources:
            if source.login not in sides:
                sides[source.login] = open_copy_side(store, console, source, access, connections, interruption)
        with interruption.deferred(connections.close):
            if len(sources) > 1 and (why := why_no_directory(to, target)):
                console.warn(why)
                return FAILED
            for source in sources:
                following = no_progress if wishes.quiet else progress
                copier = Copier(sides[source.login], to, wishes, progress=following, fail=fail)
                copier.copy(sftp_path(source), sftp_path(target))
    explain_sftp_failure("\n".join(failures), target, console)
    return FAILED if failures else DONE


class CopyInterruption:
    """^C, SIGTERM or SIGHUP while copying.

    Takes effect between two messages to a host, then removes leftovers, with time limits because the host may hang.
    """

    def __init__(self) -> None:
        # The exception for the received signal.
        self._come: BaseException | None = None
        self._raised = False

    def check(self) -> None:
        """Raise the received signal's exception, once."""
        if self._come and not self._raised:
            self._raised = True
            raise self._come

    @contextmanager
    def deferred(self, abandon: Callable[[], None]) -> Iterator[None]:
        """Let `check` raise for a signal; after PATIENCE, call `abandon` in another thread.

        A second signal raises at once. Ignored (nohup) and default signals stay.
        """
        over = threading.Timer(PATIENCE, abandon)
        over.daemon = True

        def note(number: int, _: object) -> None:
            exception = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
            if self._come:
                raise exception
            self._come = exception
            over.start()

        before = {
            number: handler
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if callable(handler := signal.getsignal(number))
        }
        for number in before:
            signal.signal(number, note)
        try:
            yield
        except SSHError as exc:
            if self._come:
                raise self._come from exc
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            over.cancel()


def open_copy_side(
    store: Store,
    console: Console,
    place: MachinePath,
    access: Access,
    connections: ExitStack,
    interruption: CopyInterruption,
) -> CopySide:
    from machinectl.ssh.sftp.sftp_copying import LocalSide, RemoteSide

    if place.machine is None:
        return LocalSide()
    endpoint = ssh_endpoint(place.machine)
    if place.user:
        endpoint = dataclasses.replace(endpoint, user=place.user)
    pin = pin_in_store(store, console, place.machine)
    way = logged_in(place.machine, console, access.for_one_host(), ssh=endpoint, quietly=True, pin=pin)
    session = connections.enter_context(way)
    return RemoteSide(session, interruption.check)


def sftp_path(place: MachinePath) -> bytes:
    """Return a path that starts at home: SFTP does not expand ~."""
    path = os.fsencode(place.path)
    if place.machine is None:
        return path
    at_home = path == b"~" or path.startswith(b"~/")
    return (path[2:].lstrip(b"/") if at_home else path) or b"."


def why_no_directory(to: CopySide, target: MachinePath) -> str:
    """Return "" if several files can be copied there."""
    try:
        there = to.look(sftp_path(target))
    except OSError as exc:
        return f"{target}: {exc.strerror or exc}"
    return "" if there and there.is_directory else f"cannot copy several files: {target} is not a directory"


def explain_sftp_failure(said: str, target: MachinePath, console: Console) -> None:
    """Suggest checking the disk: SFTP says only "Failure" if it is full."""
    if FAILURE not in said:
        return
    path = shlex.quote(target.path or ".")
    # Quoted twice for a remote path: for the local shell and the host's.
    command = f"machinectl ssh {target.machine.name} df -h {shlex.quote(path)}" if target.machine else f"df -h {path}"
    console.note(f'SFTP says "Failure" for many errors, such as a full disk. See: {command}')
