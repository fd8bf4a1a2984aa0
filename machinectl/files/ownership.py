"""Check whether another user can change a directory."""

from __future__ import annotations

import os
import stat

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUT = "--out <DIRECTORY>"
EVERYBODY = "everybody may write to it"
GROUP = "its group may write to it"
FOREIGN = "it is another user's"
# How many links Linux follows in one path.
LINKS = 40
# The UID map outside user namespaces: each user ID maps to itself.
ALL_USERS = [b"0", b"0", b"4294967295"]


class Exposed(Frozen):
    path: str
    why: str

    def hint(self) -> Hint:
        """Return a chmod command if this user may type it."""
        if self.why != FOREIGN and os.stat(self.path).st_uid == os.geteuid():
            return Hint("Keep others out", "chmod go-w", self.path)
        return Hint("See", "ls -ld", self.path)


def other_writer(path: str, found: os.stat_result | None = None) -> str:
    """Return who else can write to a directory, as a clause, or "".

    Sticky directories count: others can add entries.
    """
    found = found or os.stat(path)
    if os.name == "nt":
        return ""
    if found.st_mode & stat.S_IWOTH:
        return EVERYBODY
    return GROUP if found.st_mode & stat.S_IWGRP and not is_private_group(path, found) else ""


def is_private_group(path: str, found: os.stat_result) -> bool:
    """Return whether it is root's group, or the owner's own (umask 002).

    SSSD and LDAP do not list a group's members, so only the owner's primary group of the owner's name counts.
    """
    import grp
    import pwd

    # With an ACL, the group bits are the mask of the whole list.
    if "system.posix_acl_access" in getattr(os, "listxattr", lambda _: [])(path):
        return False
    if found.st_gid == 0:
        return True
    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    others = {user.pw_name for user in pwd.getpwall() if user.pw_gid == found.st_gid} | {*group.gr_mem}
    return (owner.pw_gid, owner.pw_name) == (group.gr_gid, group.gr_name) and others <= {owner.pw_name, "root"}


def exposed_above(path: str, *, root_anywhere: bool = True) -> Exposed | None:
    """Return what lets another user replace an absolute path.

    Judges a missing path by its future parent. With `root_anywhere`, root trusts every owner.
    """
    if os.name == "nt":
        return None
    for directory, entry in lookups(path):
        found = os.stat(directory)
        if not is_trusted(found.st_uid, root_anywhere=root_anywhere):
            return Exposed(directory, FOREIGN)
        if why := other_writer(directory, found):
            if not found.st_mode & stat.S_ISVTX:
                return Exposed(directory, why)
            # In a sticky directory, only its owner can replace an entry.
            if os.path.lexists(entry) and not is_trusted(os.lstat(entry).st_uid, root_anywhere=root_anywhere):
                return Exposed(entry, FOREIGN)
    return None


def exposed(directory: str, *, root_anywhere: bool = True) -> Exposed | None:
    """Return what lets another user change its contents."""
    if found := exposed_above(directory, root_anywhere=root_anywhere):
        return found
    if os.name == "nt" or not os.path.isdir(directory):
        return None
    trusted = is_trusted(os.stat(directory).st_uid, root_anywhere=root_anywhere)
    why = other_writer(directory) if trusted else FOREIGN
    return Exposed(directory, why) if why else None


def check_directory(directory: str, other: str, warn: Callable[[str, Hint], None]) -> None:
    """Raise MachineError if another user could replace keys there, or if lines for a shell could not hold its path.

    `other` chooses another directory. Root, who trusts every owner, is warned of one.
    """
    if not directory.isprintable():
        raise UsageError(
            f"The path {directory!r} holds a character that cannot be printed", Hint("Name another", other)
        )
    path = os.path.abspath(directory)
    if found := exposed(path):
        raise MachineError(
            f"{found.path} is not safe for keys: {found.why}", found.hint() | Hint("or choose another directory", other)
        )
    if found := exposed(path, root_anywhere=False):
        warn(
            f"{found.path} belongs to another user, who can replace the files in it",
            Hint("Unless you trust that user, choose another directory", other),
        )


def checked_place(directory: str) -> str:
    """Return the absolute path of a place for temporary files. Raises MachineError if others could replace them."""
    place = os.path.abspath(directory)
    if found := exposed_above(os.path.join(place, "machinectl-"), root_anywhere=False):
        raise MachineError(
            f"{found.path} is not safe for temporary files: {found.why}",
            found.hint() | Hint("or name another directory", "export TMPDIR=<DIRECTORY>"),
        )
    return place


def lookups(path: str) -> Iterator[tuple[str, str]]:
    """Yield each directory on the path, links included, with the entry looked up."""
    place, left, links = os.sep, path.split(os.sep), 0
    while left:
        name = left.pop(0)
        entry = os.path.normpath(os.path.join(place, name))
        if not name or entry == place:
            continue
        yield place, entry
        if not os.path.lexists(entry):
            return
        if not os.path.islink(entry):
            place = entry
        elif (links := links + 1) > LINKS:
            return
        else:
            target = os.readlink(entry)
            left = [*target.split(os.sep), *left]
            place = os.sep if os.path.isabs(target) else place


def is_trusted(uid: int, *, root_anywhere: bool = True) -> bool:
    """Return whether the user may own directories of ours."""
    return uid in {0, os.geteuid()} or (root_anywhere and os.geteuid() == 0) or is_unmapped(uid)


def is_unmapped(uid: int) -> bool:
    """Return whether a user namespace (toolbox, rootless Podman) hides the owner, usually root."""
    try:
        with open("/proc/self/uid_map", "rb") as mapped, open("/proc/sys/kernel/overflowuid", "rb") as hidden:
            return mapped.read().split() != ALL_USERS and uid == int(hidden.read())
    except OSError:
        return False
