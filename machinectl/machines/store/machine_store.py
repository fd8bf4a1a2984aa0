"""Read machines, and let one process at a time write a machine, atomically."""

from __future__ import annotations

import os

from machinectl.errors import NO_HINT, Hint, MachineError
from machinectl.files.atomic import (
    StoreError,
    Translated,
    read_file,
    remove_tree,
    replace_file,
    sync_path,
    write_tree,
)
from machinectl.machines import record
from machinectl.machines.store.store_paths import (
    HELD,
    LONGEST_RECORD,
    NO_RECORD,
    RECORD,
    Lock,
    StorePaths,
    now,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Self

    from machinectl.machines.record import Machine
    from machinectl.provision.host_changes import Change

    # Called with the store, the held machine's name, and the machine before and after; None if missing or unreadable.
    Follower = Callable[["Store", str, Machine | None, Machine | None], None]


class Store(StorePaths):
    """One user's machines. Reading takes no lock and never sees partial records."""

    def __init__(
        self,
        root: str = "",
        followers: Sequence[Follower] = (),
        warn: Callable[..., None] = lambda *_: None,
        *,
        kept: str = "machines",
    ) -> None:
        super().__init__(root, warn, kept=kept)
        # Called once per written machine, when its lock is released.
        self.followers = followers

    def check_exists(self, name: str) -> None:
        """Raise NoSuchMachine if there is no such machine."""
        if not self.exists(name):
            from machinectl.machines.store.missing_machine import no_such_machine

            raise no_such_machine(self, name)

    def check_free(self, name: str, besides: str = "") -> None:
        """Raise MachineError if another machine has that name, ignoring case."""
        if name.lower() == besides.lower():
            return
        from machinectl.machines.store.missing_machine import name_taken

        if error := name_taken(self, name):
            raise error

    def read(self, name: str) -> Machine:
        """Read a machine. Raises NoSuchMachine, record.BrokenRecord or StoreError."""
        if not record.is_name(name):
            self.check_exists(name)
        path = os.path.join(self.directory(name), RECORD)
        try:
            text = read_file(path, LONGEST_RECORD)
        except (FileNotFoundError, NotADirectoryError) as exc:
            from machinectl.machines.store.missing_machine import without_record

            raise without_record(self, name) from exc
        except OSError as exc:
            if exc.errno in NO_RECORD:
                raise record.broken_record(name, f"cannot be read ({exc.strerror})") from exc
            raise StoreError(f"Cannot read {path}: {exc.strerror}", Hint("See", "ls -ld", path)) from exc
        return record.parse_record(name, text, self.directory(name))

    def readable(self) -> list[Machine]:
        """Return the machines whose records can be read."""
        return [machine for name in self.names() if (machine := self.read_or_none(name))]

    def read_or_none(self, name: str) -> Machine | None:
        try:
            return self.read(name)
        except MachineError:
            return None

    def read_ready(self, name: str) -> Machine:
        """Read a machine. Raises MachineError, also if it is incomplete."""
        return record.check_ready(self.read(name))

    def writing(self, name: str, waiting: Callable[[], None] | None = None, *, removed: bool = False) -> Held:
        """Lock a machine or a free name: `with store.writing(name) as held:`; with `removed` a removed machine.

        While another process holds it, `waiting` is called, and pauses. Raises MachineError if this process holds the
        lock.
        """
        return Held(self, name, waiting, removed=removed)


class Held:
    """A machine or a name that this process has locked."""

    def __init__(
        self, store: Store, name: str, waiting: Callable[[], None] | None = None, *, removed: bool = False
    ) -> None:
        self.store = store
        self.name = name
        self.is_removed = removed
        self._place = store.removed if removed else store
        self._lock = Lock(store.lock_path(name), waiting)
        self._machine: Machine | None = None
        # The machine before the first write, None if there was none.
        self._before: Machine | None = None
        self._touched = False
        # Its name after the last write, "" if removed.
        self._now = name

    def __enter__(self) -> Self:
        from machinectl.machines.store.store_directory import keep_private, make_directory

        path = self._lock.path
        if self.store.is_docker_machines(self.name):
            from machinectl.machines.store.missing_machine import without_record

            # Do not create our directories in docker-machine's store.
            raise without_record(self.store, self.name)
        make_directory(self.store, self.store.locks)
        for directory in (self.store.machines, self.directory):
            if os.path.isdir(directory):
                keep_private(self.store, directory)
        # setdefault is atomic: only one of two threads succeeds.
        if HELD.setdefault(path, self) is not self:
            raise MachineError(f'"{self.name}" is being worked on by this very command', Hint("Name each machine once"))
        try:
            self._lock.__enter__()
        except BaseException:
            del HELD[path]
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._touched:
                after = self.store.read_or_none(self._now)
                for follow in self.store.followers:
                    follow(self.store, self.name, self._before, after)
        finally:
            self._lock.release()
            del HELD[self._lock.path]

    @property
    def directory(self) -> str:
        return self._place.directory(self.name)

    @property
    def machine(self) -> Machine:
        """The machine, to modify and write. Raises NoSuchMachine, BrokenRecord or StoreError."""
        if self._machine is None:
            self._machine = self._place.read(self.name)
        return self._machine

    def touch(self, *, is_new: bool = False) -> None:
        """Call before the first write, for followers. Raises RuntimeError without the lock."""
        if HELD.get(self._lock.path) is not self:
            raise RuntimeError(f"{self.name} is not held")
        if not self._touched and self.store.followers and not self.is_removed:
            self._touched = True
            # The error for a missing machine compares its name with all others.
            self._before = None if is_new else self.store.read_or_none(self.name)

    def add(self, machine: Machine, files: Mapping[str, bytes]) -> str:
        """Add atomically; the name must be free. Return a note on a removed machine of that name."""
        from machinectl.machines.store.store_directory import free_name_of_removed, make_directory

        store = self.store
        self.touch(is_new=True)
        make_directory(store, store.machines)
        make_directory(store, store.staging)
        staged = os.path.join(store.staging, self.name)
        remove_tree(staged)
        try:
            with Translated(staged):
                write_tree(staged, {**files, RECORD: machine.dump()})
            note = free_name_of_removed(store, self.name)
            with Translated(self.directory):
                os.rename(staged, self.directory)
                sync_path(store.machines)
        except BaseException:
            remove_tree(staged)
            raise
        machine.directory = self.directory
        self._machine, self._now = machine, self.name
        return note

    def write(self) -> None:
        self.touch()
        write_record(self.machine)

    def keep_changes(self, changes: Iterable[Change]) -> None:
        """Record changes of the host before they are made."""
        from machinectl.provision.host_changes import merge_changes

        before = self.machine.changes
        self.machine.changes = merge_changes(before, changes, now())
        try:
            self.write()
        except MachineError:
            # They are not made, so that there is nothing to undo.
            self.machine.changes = before
            raise

    def write_file(self, filename: str, data: bytes) -> None:
        """Write a file that only the owner can read."""
        self.touch()
        replace_file(os.path.join(self.directory, filename), data)

    def write_files(self, files: Mapping[str, bytes], *, force: bool = True, hint: Hint = NO_HINT) -> None:
        """Replace all or none; empty files are removed. See `fileset`."""
        from machinectl.files.fileset import locked_directory, replace_together

        self.touch()
        with locked_directory(self.directory):
            replace_together(self.directory, files, force=force, hint=hint)

    def finish_files(self) -> None:
        """Finish a killed `write_files`."""
        from machinectl.files.fileset import locked_directory

        with locked_directory(self.directory):
            pass

    def remove(self) -> None:
        from machinectl.machines.store.store_directory import remove_directory

        self.touch()
        remove_directory(self.store, self.directory)
        self._machine, self._now = None, ""

    def set_aside(self) -> str:
        """Move to the removed machines, atomically. Return the name there."""
        from machinectl.machines.store.store_directory import free_removed_path, make_directory

        if self.is_removed:
            return self.name
        store, removed = self.store, self.store.removed.machines
        self.touch()
        make_directory(store, removed)
        path = free_removed_path(store, self.name)
        with Translated(path):
            os.rename(self.directory, path)
            sync_path(removed)
            sync_path(store.machines)
        self._machine, self._now = None, ""
        return os.path.basename(path)

    def rename(self, new: str) -> str:
        """Rename the directory; the new name must be locked, too. Return a note as `add` does."""
        from machinectl.machines.store.store_directory import free_name_of_removed

        if self.store.lock_path(new) not in HELD:
            raise RuntimeError(f"{new} is not held")
        self.touch()
        target = self.store.directory(new)
        note = free_name_of_removed(self.store, new)
        with Translated(target):
            os.rename(self.directory, target)
            sync_path(self.store.machines)
        self._machine, self._now = None, new
        return note


def write_record(machine: Machine) -> None:
    """Replace the record; the name must be locked. Followers are not called."""
    replace_file(os.path.join(machine.directory, RECORD), machine.dump())
