"""The files of this computer that a project needs."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from machinectl.compose.project import is_within
from machinectl.errors import Hint, MachineError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from machinectl.compose.project import Project

# Patterns, as in .gitignore, of what is not copied; `!.git` copies that.
IGNORE_FILE = ".machinectlignore"
IGNORED = ".git"
# The mode of what others may read: the directory above the copies keeps other users out.
READABLE = 0o444
ROOT = os.sep


class FileHere(NamedTuple):
    """A file (`link` is None), a link, or a directory (size, time and inode are 0). `time` is in nanoseconds."""

    mode: int
    uid: int
    gid: int
    size: int = 0
    time: int = 0
    inode: int = 0
    link: str | None = None

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


# Of what is above sources and of a source that is not here, where docker makes a directory.
MADE = FileHere(stat.S_IFDIR | 0o755, 0, 0)


class LocalFiles:
    """Entries by path. `single` are sources that are one file; `left_out` says what is not copied, and why."""

    def __init__(self, project: Project) -> None:
        self.entries: dict[str, FileHere] = {}
        self.single: set[str] = set()
        self.left_out: list[str] = []
        self.sources = project.sources
        self._project = project
        self._ignored = ignore_rules(project.directory)
        self._covered = covered_paths(project)
        self._roots = [source for source in project.sources if os.path.isdir(source)]
        public = set(project.files.values())
        for source in project.sources:
            self._add_source(source, public=source in public)

    def _add_source(self, source: str, *, public: bool) -> None:
        if not source.isprintable():
            raise MachineError(f"{source} has a control character in its path", Hint("Rename it"))
        above = os.path.dirname(source)
        while above != ROOT:
            self.entries.setdefault(above, MADE)
            above = os.path.dirname(above)
        try:
            found = entry_at(source)
        except FileNotFoundError:
            self._add_missing(source)
            return
        except OSError as exc:
            raise unreadable(source, exc) from exc
        if stat.S_ISREG(found.mode):
            self.single.add(source)
            self.entries[source] = found._replace(mode=found.mode | READABLE) if public else found
        elif found.is_directory:
            self.entries[source] = found
            self._add_below(source, is_filtered=not self._is_ignored(source, found))
        else:
            self.left_out.append(f"{source}: not a file or a directory")

    def _add_missing(self, source: str) -> None:
        users = [bind for bind in self._project.binds if bind.source == source]
        if not users or not all(bind.is_made_if_missing for bind in users):
            raise MachineError(f"{source} does not exist", Hint("Create it, or correct the compose file"))
        self.entries[source] = MADE

    def _add_below(self, directory: str, *, is_filtered: bool) -> None:
        try:
            with os.scandir(directory) as listed:
                children = sorted(listed, key=lambda child: child.name)
        except OSError as exc:
            raise unreadable(directory, exc) from exc
        for child in children:
            try:
                found = entry_at(child.path)
            except FileNotFoundError:
                # It was removed meanwhile.
                continue
            if child.path in self.entries or (is_filtered and self._is_ignored(child.path, found)):
                continue
            if why := self._reason_to_leave(child.path, found):
                self.left_out.append(f"{child.path}: {why}")
                continue
            self.entries[child.path] = found
            if found.is_directory and child.path not in self._covered:
                self._add_below(child.path, is_filtered=is_filtered)

    def _is_ignored(self, path: str, found: FileHere) -> bool:
        if self._ignored is None:
            return os.path.basename(path) == IGNORED
        relative = os.path.relpath(path, self._project.directory)
        return self._ignored.match_file(f"{relative}/" if found.is_directory else relative)

    def _reason_to_leave(self, path: str, found: FileHere) -> str:
        if not path.isprintable():
            return "a control character in its name"
        if found.link is not None:
            target = os.path.normpath(os.path.join(os.path.dirname(path), found.link))
            leads_out = os.path.isabs(found.link) or not is_within(target, self._roots)
            return "a link to elsewhere" if leads_out else ""
        return "" if stat.S_ISREG(found.mode) or found.is_directory else "a socket, pipe or device"


def entry_at(path: str) -> FileHere:
    """Raise OSError."""
    found = os.lstat(path)
    if stat.S_ISDIR(found.st_mode):
        return FileHere(found.st_mode, found.st_uid, found.st_gid)
    link = os.readlink(path) if stat.S_ISLNK(found.st_mode) else None
    size = 0 if link is not None else found.st_size
    return FileHere(found.st_mode, found.st_uid, found.st_gid, size, found.st_mtime_ns, found.st_ino, link)


def ignore_rules(directory: str) -> GitIgnoreSpec | None:
    try:
        with open(os.path.join(directory, IGNORE_FILE), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise unreadable(os.path.join(directory, IGNORE_FILE), exc) from exc
    # It takes 20 ms to load.
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines([IGNORED, *lines])


def covered_paths(project: Project) -> set[str]:
    """Return the directories that each user of a source hides behind another volume, as /app/node_modules often is."""
    covered: dict[str, frozenset[str]] = {}
    for bind in project.binds:
        covered[bind.source] = covered.get(bind.source, bind.covered) & bind.covered
    return {os.path.join(source, path) for source, paths in covered.items() for path in paths}


def unreadable(path: str, failure: OSError) -> MachineError:
    return MachineError(
        f"Cannot read {path}: {failure.strerror}", Hint(f"Let your user read it, or name it in {IGNORE_FILE}")
    )
