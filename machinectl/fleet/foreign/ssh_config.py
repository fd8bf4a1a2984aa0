"""The hosts of an ssh_config: each name of a Host line that is no pattern, with what holds for it.

The format: https://man.openbsd.org/ssh_config. A relative Include is looked for beside its file, which is in ~/.ssh
where the file is the user's own. No program is run: what `Match` asks is not known, and its lines are passed over.
"""

from __future__ import annotations

import fnmatch
import functools
import getpass
import glob
import heapq
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.foreign.sources import Foreign, Spot, WrongSource, contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.fleet.foreign.sources import Notes

# OpenSSH's (readconf.c, READCONF_MAX_DEPTH).
DEEPEST = 16
MOST_FILES = 1000
JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:@\[\]/]+))(?::(?P<port>\d+))?/?")
# A word, parts of which may be in quotes, or a comment to the line's end.
WORD = re.compile(r"""\s*(?:#.*|((?:"[^"]*"|'[^']*'|[^\s"'])+))""")
QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*)")
TAKEN = frozenset({"hostname", "user", "port", "identityfile", "proxyjump"})
# Of what else stands there, what has others log in elsewhere, or otherwise, than a machine would.
MISSED = frozenset({"proxycommand", "certificatefile", "identityagent", "hostkeyalias", "pkcs11provider"})
WILD = ("*", "?", "!")
# Who pushes to a forge, and logs in at no host of his own.
FORGE = "git"


@dataclass(frozen=True)
class Patterns:
    """What a Host line is about: names as they are, and patterns; one that is negated and fits excludes a name."""

    names: frozenset[str]
    wild: tuple[re.Pattern[str], ...]
    excluded: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, words: Sequence[str]) -> Patterns:
        plain = [word for word in words if not word.startswith("!")]
        return cls(
            frozenset(word for word in plain if not is_wild(word)),
            tuple(compiled(word) for word in plain if is_wild(word)),
            tuple(compiled(word.removeprefix("!")) for word in words if word.startswith("!")),
        )

    def fits(self, name: str) -> bool:
        is_meant = name in self.names or any(each.fullmatch(name) for each in self.wild)
        return is_meant and not any(each.fullmatch(name) for each in self.excluded)


@dataclass
class Block:
    """The options for hosts that all of the conditions fit: a Host line's patterns each, and none for a Match."""

    conditions: tuple[Patterns | None, ...] = ()
    options: dict[str, tuple[str, Spot]] = field(default_factory=dict)

    def fits(self, name: str) -> bool:
        return all(patterns is not None and patterns.fits(name) for patterns in self.conditions)

    @property
    def names(self) -> frozenset[str] | None:
        """The only ones that it can fit; None where a pattern decides."""
        last = self.conditions[-1] if self.conditions else None
        return None if last is None or last.wild else last.names


class Config:
    """A file with all that it includes, as blocks in their order."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.blocks: list[Block] = []
        self.names: dict[str, Spot] = {}
        self.files = 0

    def read(self, text: str, path: str, outer: tuple[Patterns | None, ...] = (), depth: int = 0) -> None:
        """Take over a file that is read where `outer` conditions hold. Raises WrongSource."""
        block = Block(outer)
        self.blocks.append(block)
        for number, line in enumerate(text.split("\n"), start=1):
            spot = Spot(path, number)
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            keyword, words = taken_apart(stripped, spot)
            if keyword == "host":
                block = Block((*outer, Patterns.of(words)))
                self.blocks.append(block)
                self.take_names(words, block, spot)
            elif keyword == "match":
                always = [word.lower() for word in words] == ["all"]
                block = Block(outer if always else (*outer, None))
                self.blocks.append(block)
                if not always:
                    self.notes.add(spot, "what follows this Match is passed over: what it asks is not known here")
            elif keyword == "include":
                self.include(words, block, spot, depth)
                # What follows it is of the same block, and counts after what was included.
                block = Block(block.conditions)
                self.blocks.append(block)
            elif keyword in TAKEN:
                block.options.setdefault(keyword, (words[0], spot))
            elif keyword in MISSED and None not in block.conditions:
                self.notes.once(keyword, spot, f"{stripped.split()[0]} is not taken over")

    def take_names(self, words: Iterable[str], block: Block, spot: Spot) -> None:
        for word in words:
            if not is_wild(word) and block.fits(word):
                self.names.setdefault(word, spot)

    def include(self, patterns: Iterable[str], block: Block, spot: Spot, depth: int) -> None:
        if depth >= DEEPEST:
            raise WrongSource(spot, f"files include one another {DEEPEST} deep")
        for pattern in patterns:
            whole = os.path.join(os.path.dirname(spot.path), os.path.expanduser(pattern))
            for path in sorted(glob.glob(whole)):
                self.files += 1
                if self.files > MOST_FILES:
                    raise WrongSource(spot, f"more than {MOST_FILES} files are included")
                try:
                    text = contents(path)
                except WrongSource:
                    raise
                except MachineError as exc:
                    self.notes.add(spot, exc.cause)
                    continue
                self.read(text, path, block.conditions, depth + 1)

    def value(self, name: str, keyword: str) -> str:
        """What holds for a host: the first that is said; "" where nothing is."""
        fitting = (each for each in self.blocks_about(name) if keyword in each.options and each.fits(name))
        found = next((each.options[keyword][0] for each in fitting), "")
        return "" if found.lower() == "none" else found

    def blocks_about(self, name: str) -> Iterator[Block]:
        """Those that may fit a name, in their order: few, though the file has thousands."""
        own, general = self.index
        return (self.blocks[at] for at in heapq.merge(own.get(name, ()), general))

    @functools.cached_property
    def index(self) -> tuple[dict[str, list[int]], list[int]]:
        """Where the blocks are about each name, and about any. It is made when all is read."""
        own: dict[str, list[int]] = {}
        general: list[int] = []
        for at, block in enumerate(self.blocks):
            if not block.options:
                continue
            if block.names is None:
                general.append(at)
            for name in block.names or ():
                own.setdefault(name, []).append(at)
        return own, general

    def host(self, name: str, spot: Spot) -> Foreign:
        address = self.value(name, "hostname").replace("%h", name).replace("%%", "%") or name
        user, port = self.value(name, "user"), self.value(name, "port")
        return Foreign(name, spot, address, user, port, self.key(name, address, user), self.jump(name))

    def key(self, name: str, address: str, user: str) -> str:
        """The key file; "" where none is named, or its name holds what only ssh fills in."""
        path = self.value(name, "identityfile")
        tokens = {"%%": "%", "%d": "~", "%h": address, "%n": name, "%r": user, "%u": getpass.getuser()}
        filled = re.sub(r"%.", lambda token: tokens.get(token[0], token[0]), path)
        if "${" in path or ("%" in filled and "%%" not in path):
            self.notes.add(self.names[name], f"the IdentityFile of {name} is not taken over: {path}")
            return ""
        return filled

    def jump(self, name: str) -> str:
        """The jump host of a host: a name of the file's own, or user@host[:port] with what holds for that one."""
        jump = self.value(name, "proxyjump")
        if "," in jump or jump in self.names:
            return jump
        found = JUMP.fullmatch(jump)
        if not found:
            return jump
        host = found["v6"] or found["name"]
        user = found["user"] or self.value(host, "user") or getpass.getuser()
        port = found["port"] or self.value(host, "port")
        address = self.value(host, "hostname").replace("%h", host) or host
        return f"{user}@{f'[{address}]' if ':' in address else address}{f':{port}' if port else ''}"


def parse(text: str, path: str, notes: Notes) -> list[Foreign]:
    """The hosts of a file, and of what it includes. Raises WrongSource."""
    config = Config(notes)
    config.read(text, path)
    found = []
    for name, spot in config.names.items():
        host = config.host(name, spot)
        if host.user == FORGE:
            notes.add(spot, f"{name} is left out: who logs in as {FORGE} does so at a forge")
            continue
        found.append(host)
    return found


def taken_apart(line: str, spot: Spot) -> tuple[str, list[str]]:
    """A line's keyword, in lower case, and its words. Raises WrongSource."""
    found = LINE.fullmatch(line)
    if not found:
        raise WrongSource(spot, f"{line!r} is no line of an ssh_config: write Keyword value")
    words = list(words_of(found[2], spot))
    if not words:
        raise WrongSource(spot, f"{found[1]} has no value")
    return found[1].lower(), words


def words_of(text: str, spot: Spot) -> Iterator[str]:
    """The words of a value, without quotes, up to a comment. Raises WrongSource where a quote has no end."""
    at = 0
    while at < len(text):
        found = WORD.match(text, at)
        if not found:
            raise WrongSource(spot, f"{text!r} has a quote without its end")
        if found[1] is None:
            return
        yield QUOTED.sub(lambda part: part[1] or part[2] or "", found[1])
        at = found.end()


def is_wild(word: str) -> bool:
    return any(mark in word for mark in WILD)


def compiled(pattern: str) -> re.Pattern[str]:
    # In ssh's patterns, brackets are letters like any other.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
