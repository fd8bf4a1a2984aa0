"""The list of what was sent to a host, and what to send next."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from machinectl.compose.local_files import ROOT, FileHere
from machinectl.compose.project import is_within
from machinectl.files.atomic import read_file, replace_file
from machinectl.json_values import as_dict, as_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from machinectl.compose.local_files import LocalFiles

# Bytes. A file has some 150.
LONGEST_LIST = 1 << 28
NANO = 10**9


class FileThere(NamedTuple):
    """What `stat` on the host says of a path. `time` is in seconds."""

    mode: int
    uid: int
    gid: int
    size: int
    time: int

    def holds(self, sent: FileHere) -> bool:
        """Return whether it has the content that was sent. Owners and modes may have changed: containers do that."""
        if stat.S_IFMT(self.mode) != stat.S_IFMT(sent.mode):
            return False
        return not stat.S_ISREG(self.mode) or (self.size, self.time) == (sent.size, sent.time // NANO)


@dataclass
class SentFiles:
    """`mark` is what the copies on the host are marked with, "" if nothing was sent; `pending` may be half sent."""

    project: str = ""
    directory: str = ""
    mark: str = ""
    entries: dict[str, FileHere] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def write(self, path: str) -> None:
        """Raise StoreError."""
        replace_file(path, json.dumps({**vars(self), "pending": sorted(self.pending)}).encode())

    @classmethod
    def read(cls, path: str) -> SentFiles:
        """Return an empty list if there is none that can be read: what is on the host is compared then."""
        try:
            found = as_dict(json.loads(read_file(path, LONGEST_LIST)))
            entries = {name: FileHere(*entry) for name, entry in as_dict(found.get("entries")).items()}
        except (OSError, ValueError, TypeError):
            return cls()
        project, directory, mark = (str(found.get(name, "")) for name in ("project", "directory", "mark"))
        pending, left_out = (as_list(found.get(name)) for name in ("pending", "left_out"))
        return cls(project, directory, mark, entries, set(pending), left_out)


@dataclass
class Changes:
    """What to do on the host, by path. `kept` was changed both here and there."""

    new: dict[str, FileHere] = field(default_factory=dict)
    in_place: dict[str, FileHere] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.in_place or self.removed)

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.sent.values())

    @property
    def sent(self) -> dict[str, FileHere]:
        return {**self.new, **self.in_place}


def changed_paths(local: LocalFiles, sent: SentFiles) -> list[str]:
    """Return the paths that differ from what was sent."""
    before, now = sent.entries, all_entries(local, sent)
    differing = {path for path in {*before, *now} if before.get(path) != now.get(path)}
    return sorted(differing | sent.pending)


def all_entries(local: LocalFiles, sent: SentFiles) -> dict[str, FileHere]:
    """Return what is here, and what was sent for other compose files: their containers may still use it."""
    others = {path: entry for path, entry in sent.entries.items() if not is_within(path, local.sources)}
    return {**others, **local.entries}


def paths_to_look_at(changed: Sequence[str]) -> list[str]:
    """Return the paths and all directories above them."""
    return sorted({place for path in changed for place in (path, *above(path))})


def above(path: str) -> Iterator[str]:
    while (path := os.path.dirname(path)) != ROOT:
        yield path


def plan_changes(local: LocalFiles, sent: SentFiles, changed: Sequence[str], there: Mapping[str, FileThere]) -> Changes:
    """Decide what becomes of each changed path. What a container made or changed stays."""
    changes = Changes()
    for path in changed:
        entry = local.entries.get(path)
        if any(place in there and not stat.S_ISDIR(there[place].mode) for place in above(path)):
            # A container put a link or a file in the place of a directory.
            changes.kept.append(path)
        elif entry is None:
            plan_removal(path, sent, there.get(path), changes)
        else:
            plan_sending(path, entry, local, sent, there.get(path), changes)
    # What goes first is deepest.
    changes.removed.sort(reverse=True)
    return changes


def plan_removal(path: str, sent: SentFiles, host: FileThere | None, changes: Changes) -> None:
    known = sent.entries.get(path)
    if host is None:
        return
    if path in sent.pending or (known and host.holds(known)):
        changes.removed.append(path)
    else:
        changes.kept.append(path)


def plan_sending(
    path: str, entry: FileHere, local: LocalFiles, sent: SentFiles, host: FileThere | None, changes: Changes
) -> None:
    known = sent.entries.get(path)
    if host is None:
        changes.new[path] = entry
        return
    is_ours = path in sent.pending or bool(known and host.holds(known))
    if not is_ours and not host.holds(entry):
        changes.kept.append(path)
        return
    if is_ours and stat.S_IFMT(host.mode) != stat.S_IFMT(entry.mode):
        changes.removed.append(path)
        changes.new[path] = entry
        return
    wanted = with_host_owner(entry, known, host)
    is_same = (
        (host.mode, host.uid, host.gid) == wanted[:3] and host.holds(entry) and entry.link == (known or entry).link
    )
    if is_same and path not in sent.pending:
        return
    (changes.in_place if path in local.single else changes.new)[path] = wanted


def with_host_owner(entry: FileHere, known: FileHere | None, host: FileThere) -> FileHere:
    """Keep the owner and the mode that the host's has, unless they are those that were sent."""
    if known is None:
        return entry._replace(mode=host.mode, uid=host.uid, gid=host.gid)
    pairs = zip(entry[:3], known[:3], host[:3], strict=True)
    mode, uid, gid = (there if there != before else here for here, before, there in pairs)
    return entry._replace(mode=mode, uid=uid, gid=gid)


class Look(NamedTuple):
    """What look.sh prints: the copies' mark, the host's paths that are there, and what is at the copies' paths."""

    mark: str
    host_paths: list[str]
    files: dict[str, FileThere]

    @classmethod
    def read(cls, text: str) -> Look:
        """Raise ValueError for another text."""
        mark, *lines = text.splitlines()
        empty = lines.index("")
        files = {}
        for line in lines[empty + 1 :]:
            # stat -c '%f %s %Y %u %g %n'; the name begins with a period.
            mode, size, time, uid, gid, name = line.split(" ", 5)
            files[name.removeprefix(".")] = FileThere(int(mode, 16), int(uid), int(gid), int(size), int(time))
        return cls(mark, lines[:empty], files)
