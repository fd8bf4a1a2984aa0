"""Copying by an SFTP of our own: where there is no system's scp, or where that cannot be told what was given."""

from __future__ import annotations

import dataclasses
import os
import shlex
import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from machinectl.hosts.access import logged_in, pin_accepted_key
from machinectl.hosts.driven import ssh_endpoint
from machinectl.ssh.copying import unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from machinectl.console import Console
    from machinectl.hosts.access import Access
    from machinectl.hosts.places import Place
    from machinectl.machines.store import Store
    from machinectl.ssh.copying import Following, Wishes
    from machinectl.ssh.sftp import Side

# As scp has it.
DONE, FAILED = 0, 1
# SFTP's word for what it has no other one for, a full disk above all (SSH_FX_FAILURE).
FAILURE = ": Failure"


def copy(
    store: Store,
    console: Console,
    sources: Sequence[Place],
    target: Place,
    wishes: Wishes,
    access: Access,
    progress: Following,
) -> int:
    """Copy each source to the target, and return scp's status. Raises SSHError where a host cannot be logged in at."""
    from machinectl.ssh.sftp import Copier

    failures: list[str] = []

    def fail(text: str) -> None:
        failures.append(text)
        console.warn(text)

    with ExitStack() as connections:
        to = side(store, console, target, access, connections)
        sides: dict[tuple[str, str], Side] = {}
        for source in sources:
            if source.login not in sides:
                sides[source.login] = side(store, console, source, access, connections)
        if len(sources) > 1 and not is_directory(to, path_of(target)):
            fail(f"{target}: several things are copied into a directory, which this is not")
            return FAILED
        with interruptions() as check:
            followed = stopping(unseen if wishes.quiet else progress, check)
            for source in sources:
                copier = Copier(sides[source.login], to, wishes, progress=followed, fail=fail)
                copier.copy(path_of(source), path_of(target))
    tell_of_failure("\n".join(failures), target, console)
    return FAILED if failures else DONE


@contextmanager
def interruptions() -> Iterator[Callable[[], None]]:
    """Have ^C wait until the function that is yielded is called: within a message to a host, it would tear that.

    A second one does not wait. Where it is ignored, as nohup has it, it stays so.
    """
    come = False

    def note(*_: object) -> None:
        nonlocal come
        if come:
            raise KeyboardInterrupt
        come = True

    def check() -> None:
        if come:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def stopping(progress: Following, check: Callable[[], None]) -> Following:
    """The same, which calls a function before each file and after each piece of one."""

    @contextmanager
    def following(name: str, size: int) -> Iterator[Callable[[int], None]]:
        check()
        with progress(name, size) as tell:

            def told(count: int) -> None:
                check()
                tell(count)

            yield told

    return following


def side(store: Store, console: Console, place: Place, access: Access, connections: ExitStack) -> Side:
    """One side of a copy, logged in at where that is a host; its key is pinned from now on."""
    from machinectl.ssh.sftp import Here, There

    if place.machine is None:
        return Here()
    endpoint = ssh_endpoint(place.machine)
    if place.user:
        endpoint = dataclasses.replace(endpoint, user=place.user)
    way = logged_in(place.machine, console, access.for_one_host(), ssh=endpoint, quietly=True)
    session = connections.enter_context(way)
    pin_accepted_key(store, console, place.machine, session)
    return There(session)


def path_of(place: Place) -> bytes:
    """A path as SFTP takes it: it knows no ~, and what is relative is so to the user's home."""
    path = os.fsencode(place.path)
    if place.machine is None:
        return path
    at_home = path == b"~" or path.startswith(b"~/")
    return (path[2:].lstrip(b"/") if at_home else path) or b"."


def is_directory(to: Side, path: bytes) -> bool:
    there = to.look(path)
    return there is not None and there.is_directory


def tell_of_failure(said: str, target: Place, console: Console) -> None:
    """Add to SFTP's word for a disk that is full, among others, where to look."""
    if FAILURE not in said:
        return
    path = shlex.quote(target.path or ".")
    # For two shells where it is on a machine: the one here, and the one there.
    command = f"machinectl ssh {target.machine.name} df -h {shlex.quote(path)}" if target.machine else f"df -h {path}"
    console.note(f"Failure is SFTP's word for whatever it has no other one for: a full disk? See: {command}")
