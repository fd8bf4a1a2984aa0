"""The store: where machines' records and certificates are, who may write there, and how nothing is ever half written.

STORE/locks/NAME      one lock a machine; a lock outlives what it guards
STORE/staging/NAME    a machine on its way in or out; what a killed process leaves here is removed by the next
STORE/machines/NAME/  machine.json and the certificates; DOCKER_CERT_PATH points here
  pending/            certificates that the engine may be serving instead (hosts.pending)
STORE/removed/NAME/   a machine that was removed while its host stays changed: what undoing that takes
STORE/ssh_config      what ssh may include, where that was asked for (hosts.ssh_config)
"""

from __future__ import annotations

import errno
import itertools
import os
import stat

from machinectl.errors import MachineError, closest_match
from machinectl.files.atomic import (
    PRIVATE_DIRECTORY,
    PRIVATE_FILE,
    StoreError,
    Translated,
    quoted,
    read_file,
    remove_tree,
    replace_file,
    sync_directory,
)
from machinectl.machines import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import ClassVar, Self

    from machinectl.files.ownership import Exposed
    from machinectl.host_changes import Change

    # Told of the store, the name under which a machine was held, what it was before (None: it is new, or cannot be
    # read) and what it is now (None: it is gone, or cannot be read).
    Follower = Callable[["Store", str, record.Machine | None, record.Machine | None], None]

RECORD = "machine.json"
# In bytes. It holds a copy of the host's daemon.json, as a text in JSON, and of what else was changed there.
LONGEST_RECORD = 16 << 20
# What stands in a record's place is none: a directory, a link to itself, a pipe or device, a socket, too much.
NO_RECORD = {errno.EISDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EFBIG}
DOCKER_MACHINE_RECORD = "config.json"
# Where docker-machine keeps its machines where nothing else is said.
DOCKER_MACHINE_ROOT = "~/.docker/machine"
PENDING = "pending"
# The entries of a store's directory.
OURS = {"locks", "staging", "machines", "removed", "ssh_config", ".ssh_config.tmp"}
# A cause ends with lines of a journal at times. Characters.
LONGEST_CAUSE = 4000


class NoSuchMachine(MachineError):
    """There is no machine of that name in the store."""


def default_root() -> str:
    """Where machines are kept where nothing else is said: what platformdirs answers on Linux, without its 20 ms.

    macOS takes the same path: its own one holds a blank, which breaks `docker $(machinectl config NAME)`.
    """
    if os.name == "nt":
        import platformdirs

        return platformdirs.user_data_dir("machinectl", appauthor=False)
    data = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
    return os.path.join(data, "machinectl")


def into_own_store(root: str) -> str:
    """The command that takes a docker-machine store over that is used as ours, too: into one of our own."""
    if os.path.abspath(os.environ.get("MACHINE_STORAGE_PATH", "") or os.sep) == root:
        return f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {quoted(root)}"
    return f"machinectl -s {quoted(default_root())} import --from-docker-machine {quoted(root)}"


def now() -> str:
    """The time as records have it (RFC 3339)."""
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Lock:
    """A machine's lock, held by this process until it is released or the process ends, however it ends.

    Entering waits for it; `waiting` is called again and again as long as somebody else holds it, and waits a little.
    """

    def __init__(self, path: str, waiting: Callable[[], None] | None = None) -> None:
        self.path = path
        self.waiting = waiting
        self.descriptor = -1

    def acquire(self, *, wait: bool) -> bool:
        """Take the lock; False where somebody else holds it and `wait` is not set."""
        import fcntl

        with Translated(self.path):
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            with Translated(self.path):
                fcntl.flock(self.descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except StoreError as exc:
            self.release()
            if isinstance(exc.__cause__, BlockingIOError):
                return False
            raise
        return True

    def release(self) -> None:
        os.close(self.descriptor)

    def __enter__(self) -> None:
        if self.waiting is None:
            self.acquire(wait=True)
            return
        while not self.acquire(wait=False):
            self.waiting()

    def __exit__(self, *_: object) -> None:
        self.release()


class Store:
    """The machines of one user. Reading takes no lock and never sees half a record."""

    def __init__(
        self, root: str = "", followers: Sequence[Follower] = (), warn: Callable[[str], None] = lambda _: None
    ) -> None:
        # Who is told of each machine that was written, once, when its writer is done with it.
        self.followers = followers
        # Called with warnings about the store itself.
        self.warn = warn
        self.root = os.path.abspath(root or os.environ.get("MACHINE_STORAGE_PATH", "") or default_root())
        self.machines = os.path.join(self.root, "machines")
        self.staging = os.path.join(self.root, "staging")
        self.locks = os.path.join(self.root, "locks")
        self.kept = os.path.join(self.root, "removed")

    def directory(self, name: str) -> str:
        """The machine's directory, absolute: what DOCKER_CERT_PATH points at."""
        return os.path.join(self.machines, name)

    def names(self) -> list[str]:
        """The names of all machines, whatever state their records are in; m2 comes before m10."""
        with Translated(self.machines):
            try:
                with os.scandir(self.machines) as entries:
                    found = [entry.name for entry in entries if record.is_name(entry.name) and entry.is_dir()]
            except FileNotFoundError:
                return []
        return sorted(found, key=record.natural)

    def exists(self, name: str) -> bool:
        """Whether there is a machine of that name, whatever its record looks like."""
        return record.is_name(name) and os.path.isdir(self.directory(name))

    def is_known(self, name: str) -> bool:
        """Whether there is a machine of that name, or one that was removed while its host stays changed."""
        return self.exists(name) or any(machine.name == name for machine in self.removed())

    def check_exists(self, name: str) -> None:
        """Raise NoSuchMachine where there is none of that name, whatever its record looks like."""
        if not self.exists(name):
            raise self.no_such(name)

    def check_free(self, name: str, besides: str = "") -> None:
        """Raise MachineError where a name is taken, also in other case: macOS cannot tell the two apart."""
        if name.lower() == besides.lower():
            return
        if os.path.lexists(self.directory(name)):
            raise MachineError(f'Docker machine "{name}" already exists', f"Choose another name{self.or_forget(name)}")
        taken = next((other for other in self.names() if other.lower() == name.lower()), None)
        if taken:
            raise MachineError(
                f'Docker machine "{name}" already exists as "{taken}"; names that differ in case only are the same',
                "Choose another name",
            )

    def or_forget(self, name: str) -> str:
        """What frees a name that is taken, as the end of a hint."""
        if not os.path.isdir(self.directory(name)):
            return (
                f", or move what is there away: mv {quoted(self.directory(name))} {quoted(f'{self.root}/{name}.old')}"
            )
        if self.is_docker_machines(name):
            return ": that one is docker-machine's, and stays as it is"
        try:
            self.read(name)
        except MachineError:
            return f", or forget that one, which is broken: machinectl rm -f {name}"
        return f", or forget that one: machinectl rm {name}"

    def is_docker_machines(self, name: str) -> bool:
        """Whether a machine is docker-machine's: such a directory is read and never written."""
        directory = self.directory(name)
        return os.path.exists(os.path.join(directory, DOCKER_MACHINE_RECORD)) and not os.path.lexists(
            os.path.join(directory, RECORD)
        )

    def read(self, name: str) -> record.Machine:
        """A machine's record. Raises NoSuchMachine, machine.BrokenRecord or StoreError."""
        if not record.is_name(name):
            raise self.no_such(name)
        path = os.path.join(self.directory(name), RECORD)
        try:
            text = read_file(path, LONGEST_RECORD)
        except FileNotFoundError as exc:
            raise self.without_record(name) from exc
        except NotADirectoryError as exc:
            raise self.no_such(name) from exc
        except OSError as exc:
            if exc.errno in NO_RECORD:
                raise record.broken(name, f"cannot be read ({exc.strerror})") from exc
            raise StoreError(f"Cannot read {path}: {exc.strerror}", f"See: ls -ld {quoted(path)}") from exc
        return record.parse(name, text, self.directory(name), self.exists)

    def read_ready(self, name: str) -> record.Machine:
        """The record of a machine that can be used. Raises MachineError for one that is half made, too."""
        return self.ready(self.read(name))

    def ready(self, machine: record.Machine) -> record.Machine:
        """The same machine. Raises MachineError where it is half made."""
        name = machine.name
        if machine.phase is record.Phase.READY:
            return machine
        go_on = "Create it again" if machine.phase is record.Phase.CREATING else f"Go on: machinectl provision {name}"
        raise MachineError(
            f'Machine "{name}" is half made: {machine.why}',
            f"{go_on}; or forget it: machinectl rm {name}",
        )

    def without_record(self, name: str) -> MachineError:
        """What is wrong with a name whose record is not there."""
        if not os.path.isdir(self.directory(name)):
            return self.no_such(name)
        if self.is_docker_machines(name):
            return record.BrokenRecord(
                f'Machine "{name}" is docker-machine\'s; machinectl leaves it as it is',
                f"Take it over into a store of machinectl's own: {into_own_store(self.root)}",
            )
        return record.broken(name, "is missing")

    def no_such(self, name: str) -> NoSuchMachine:
        """No such machine; where there is one of nearly that name, it was meant."""
        if record.GLOB.intersection(name):
            return NoSuchMachine(f'"{name}" matches no machine', "List the machines there are: machinectl ls")
        near = closest_match(name, self.names())
        if any(machine.name == name for machine in self.removed()):
            return NoSuchMachine(
                f'Docker machine "{name}" does not exist: it was removed, and its host is as it left it',
                f"Put that back: machinectl rm --purge {name}; or forget it: machinectl rm --forget {name}",
            )
        old = os.path.expanduser(DOCKER_MACHINE_ROOT)
        if record.is_name(name) and Store(old).is_docker_machines(name):
            return NoSuchMachine(
                f'Docker machine "{name}" does not exist',
                f"docker-machine has it; take it over: machinectl import --from-docker-machine {quoted(old)}",
            )
        return NoSuchMachine(
            f'Docker machine "{name}" does not exist',
            f'Did you mean "{near}"?' if near else "List the machines there are: machinectl ls",
        )

    def writing(self, name: str, waiting: Callable[[], None] | None = None) -> AbstractContextManager[Held]:
        """Become the only writer of a machine, or of a name that is free: `with store.writing(name) as held:`.

        Waits for another process that writes now; `waiting` is called again and again meanwhile, and waits a little
        each time. Raises MachineError where this process itself writes that machine already.
        """
        return Held(self, name, waiting)

    def writing_removed(self, name: str, waiting: Callable[[], None] | None = None) -> AbstractContextManager[Held]:
        """Become the only writer of a machine that was removed; see `writing`."""
        return HeldRemoved(self, name, waiting)

    def lock_path(self, name: str) -> str:
        """Where a machine's lock is; names that differ in case only share one."""
        return os.path.join(self.locks, name.lower())

    def is_locked(self, name: str) -> bool:
        """Whether somebody is writing a machine now, as far as can be seen without writing to the store."""
        import fcntl

        try:
            descriptor = os.open(self.lock_path(name), os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as exc:
            # Where there are no locks, nobody holds one.
            return isinstance(exc, BlockingIOError)
        finally:
            os.close(descriptor)
        return False

    def is_unsettled(self, name: str) -> bool:
        """Whether it is not known yet which certificates a machine's engine serves; see `hosts.pending`."""
        return os.path.lexists(os.path.join(self.directory(name), PENDING))

    def removed(self) -> list[record.Machine]:
        """The machines that were removed while their hosts stay changed, by name; their directories are in `kept`."""
        try:
            names = sorted(filter(record.is_name, os.listdir(self.kept)), key=record.natural)
        except OSError:
            return []
        found = []
        for name in names:
            directory = os.path.join(self.kept, name)
            try:
                text = read_file(os.path.join(directory, RECORD), LONGEST_RECORD)
                found.append(record.parse(name, text, directory, self.exists))
            except (OSError, record.BrokenRecord):
                continue
        return found

    def write_removed(self, machine: record.Machine) -> None:
        """Replace the record of a removed machine, whose name must be held."""
        if self.lock_path(machine.name) not in Held.holders:
            raise RuntimeError(f"{machine.name} is not held")
        replace_file(os.path.join(self.kept, machine.name, RECORD), machine.dump())

    def read_removed(self, name: str) -> record.Machine:
        """Return a removed machine by its name. Raises NoSuchMachine."""
        found = next((machine for machine in self.removed() if machine.name == name), None)
        if found is None:
            raise self.no_such(name)
        return found

    def forget_removed(self, name: str) -> None:
        """Keep nothing any more of a machine that was removed."""
        self.make_directory(self.staging)
        leaving = os.path.join(self.staging, f"{name}.removed")
        remove_tree(leaving)
        with Translated(leaving):
            os.rename(os.path.join(self.kept, name), leaving)
            sync_directory(self.kept)
        remove_tree(leaving)

    def sweep(self) -> None:
        """Remove what killed processes left in staging, but not where somebody is at work now."""
        try:
            left = os.listdir(self.staging)
        except OSError:
            return
        for name in left:
            try:
                lock = Lock(self.lock_path(name))
                if lock.acquire(wait=False):
                    remove_tree(os.path.join(self.staging, name))
                    lock.release()
            except StoreError:
                continue

    def make_directory(self, path: str) -> None:
        """Create the store and a directory in it, both 0700. Raises StoreError if other users could write there."""
        from machinectl.files.ownership import exposed_above

        with Translated(path):
            if exposed := exposed_above(self.root):
                raise self.no_place(exposed)
            os.makedirs(self.root, PRIVATE_DIRECTORY, exist_ok=True)
            os.makedirs(path, PRIVATE_DIRECTORY, exist_ok=True)
            for directory in (self.root, path):
                self.keep_private(directory)

    def keep_private(self, directory: str) -> None:
        """Close a directory to other users. Raises StoreError if it is another user's, or others may write to it.

        Root may work in anybody's store: with sudo, or in a container.
        """
        from machinectl.files.ownership import FOREIGN, Exposed, other_writer

        found = os.stat(directory)
        if os.name == "nt":
            return
        if os.geteuid() not in {0, found.st_uid}:
            raise self.no_place(Exposed(directory, FOREIGN))
        if why := other_writer(directory, found):
            raise self.no_place(Exposed(directory, why))
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077 and (directory != self.root or self.has_own_directory()):
            with Translated(directory):
                os.chmod(directory, mode & ~0o077)
            self.warn(f"Closed {directory} to other users: its mode was {mode:o} and is {mode & ~0o077:o} now")

    def has_own_directory(self) -> bool:
        """Return whether the store's directory holds only the store: other files must stay accessible."""
        return set(os.listdir(self.root)) <= OURS

    def no_place(self, exposed: Exposed) -> StoreError:
        return StoreError(
            f"{exposed.path} is not safe for keys: {exposed.why}",
            exposed.hint("choose another store: machinectl --storage-path <DIR> ls"),
        )


class Held:
    """A machine that this process alone writes, from `with` to its end: the only thing that can write one.

    It may be held before it is there, to be added, and goes on being held when it is removed.
    """

    # Who holds which lock in this process: flock would have it wait for itself.
    holders: ClassVar[dict[str, Held]] = {}

    def __init__(self, store: Store, name: str, waiting: Callable[[], None] | None = None) -> None:
        self.store = store
        self.name = name
        self._lock = Lock(store.lock_path(name), waiting)
        self._machine: record.Machine | None = None
        # What the record said when it was first written here; None where there was none.
        self._before: record.Machine | None = None
        self._touched = False
        # Its name in the store when it was written last, "" once it is gone.
        self._now = name

    def __enter__(self) -> Self:
        path = self._lock.path
        if self.store.is_docker_machines(self.name):
            # Its store gets no directory of ours.
            raise self.store.without_record(self.name)
        self.store.make_directory(self.store.locks)
        for directory in (self.store.machines, self.directory):
            if os.path.isdir(directory):
                self.store.keep_private(directory)
        # One step for the interpreter, so that of two threads only one comes through.
        if self.holders.setdefault(path, self) is not self:
            raise MachineError(f'"{self.name}" is being worked on by this very command', "Name each machine once")
        try:
            self._lock.__enter__()
        except BaseException:
            del self.holders[path]
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._touched:
                self._tell()
        finally:
            self._lock.release()
            del self.holders[self._lock.path]

    @property
    def directory(self) -> str:
        """The machine's directory, absolute."""
        return self.store.directory(self.name)

    @property
    def machine(self) -> record.Machine:
        """The machine, to be changed and then written. Raises NoSuchMachine, BrokenRecord or StoreError."""
        if self._machine is None:
            self._machine = self._load(self.name)
        return self._machine

    def touch(self) -> None:
        """Have its followers told in the end, written or not; what it is until then is noted before each write.

        Raises RuntimeError where the machine is not held.
        """
        if self.holders.get(self._lock.path) is not self:
            raise RuntimeError(f"{self.name} is not held")
        if self._touched or not self.store.followers:
            return
        self._touched = True
        self._before = self._read(self.name)

    def add(self, machine: record.Machine, files: Mapping[str, bytes]) -> None:
        """Put a new machine into place, whole; the name must be free."""
        store = self.store
        self.touch()
        store.make_directory(store.machines)
        store.make_directory(store.staging)
        staged = os.path.join(store.staging, self.name)
        remove_tree(staged)
        with Translated(staged):
            os.mkdir(staged, PRIVATE_DIRECTORY)
        try:
            for filename, data in {**files, RECORD: machine.dump()}.items():
                replace_file(os.path.join(staged, filename), data)
            with Translated(self.directory):
                os.rename(staged, self.directory)
                sync_directory(store.machines)
        except BaseException:
            remove_tree(staged)
            raise
        machine.directory = self.directory
        self._machine, self._now = machine, self.name

    def write(self) -> None:
        """Replace the machine's record by what `machine` says now."""
        self.touch()
        replace_file(os.path.join(self.directory, RECORD), self.machine.dump())

    def keep_changes(self, changes: Iterable[Change]) -> None:
        """Have on record what is changed on the machine's host, and when, before it is."""
        from machinectl.host_changes import merged

        self.machine.changes = merged(self.machine.changes, changes, now())
        self.write()

    def keep_failure(self, cause: str) -> None:
        """Have on record what failed, and when; nothing else of what `machine` says by now.

        Where even that fails, what failed first is the news.
        """
        from contextlib import suppress

        there = self._read(self.name)
        if there is None:
            return
        failure = {"when": now(), "cause": cause[:LONGEST_CAUSE]}
        self.machine.failure = there.failure = failure
        self.touch()
        with suppress(StoreError):
            replace_file(os.path.join(self.directory, RECORD), there.dump())

    def keep_look(self) -> None:
        """Have on record that the machine's host was looked at now, and is as the record has it.

        Whoever follows the machine needs not to be told.
        """
        machine = self.machine
        machine.looked_at = now()
        if machine.phase is record.Phase.READY and not machine.pending:
            machine.failure = {}
        replace_file(os.path.join(self.directory, RECORD), machine.dump())

    def forget_failure(self) -> None:
        """Remove the failure from the record, unless it says why something is still to be done."""
        there = self._read(self.name)
        if there and there.failure and there.phase is record.Phase.READY and not there.pending:
            self.machine.failure = there.failure = {}
            self.touch()
            replace_file(os.path.join(self.directory, RECORD), there.dump())

    def write_file(self, filename: str, data: bytes) -> None:
        """Create or replace one file of the machine, readable by its owner alone."""
        self.touch()
        replace_file(os.path.join(self.directory, filename), data)

    def write_files(self, files: Mapping[str, bytes], *, force: bool = True, hint: str = "") -> None:
        """Replace files that belong together, all of them or none; an empty one is removed. See `fileset`."""
        from machinectl.files.fileset import locked_directory, replace_together

        self.touch()
        with locked_directory(self.directory):
            replace_together(self.directory, files, force=force, hint=hint)

    def finish_files(self) -> None:
        """Finish what a killed process had begun to put into the machine's directory."""
        from machinectl.files.fileset import locked_directory

        with locked_directory(self.directory):
            pass

    def remove(self) -> None:
        """Take the machine out of the store; it is gone at once, whenever the process ends."""
        store = self.store
        self.touch()
        store.make_directory(store.staging)
        leaving = os.path.join(store.staging, self.name)
        remove_tree(leaving)
        with Translated(self.directory):
            os.rename(self.directory, leaving)
            sync_directory(os.path.dirname(self.directory))
        remove_tree(leaving)
        self._machine, self._now = None, ""

    def set_aside(self) -> str:
        """Take the machine out of the store, at once and whole; return the name that it has among those removed."""
        store = self.store
        self.touch()
        store.make_directory(store.kept)
        names = (self.name if not number else f"{self.name}-{number + 1}" for number in itertools.count())
        path = next(path for name in names if not os.path.lexists(path := os.path.join(store.kept, name)))
        with Translated(path):
            os.rename(self.directory, path)
            sync_directory(store.kept)
            sync_directory(store.machines)
        self._machine, self._now = None, ""
        return os.path.basename(path)

    def rename(self, new: str) -> None:
        """Give the machine another name, which must be held too: one rename, as its name stands nowhere else."""
        if self.store.lock_path(new) not in self.holders:
            raise RuntimeError(f"{new} is not held")
        self.touch()
        target = self.store.directory(new)
        with Translated(target):
            os.rename(self.directory, target)
            sync_directory(self.store.machines)
        self._machine, self._now = None, new

    def _tell(self) -> None:
        after = self._read(self._now)
        for follow in self.store.followers:
            follow(self.store, self.name, self._before, after)

    def _read(self, name: str) -> record.Machine | None:
        try:
            return self._load(name)
        except MachineError:
            return None

    def _load(self, name: str) -> record.Machine:
        return self.store.read(name)


class HeldRemoved(Held):
    """A removed machine whose host is still set up. It stays among the removed ones."""

    @property
    def directory(self) -> str:
        return os.path.join(self.store.kept, self.name)

    def set_aside(self) -> str:
        return self.name

    def _tell(self) -> None:
        """Do nothing: followers do not know removed machines."""

    def _load(self, name: str) -> record.Machine:
        return self.store.read_removed(name)
