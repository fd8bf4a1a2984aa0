"""Hosts of an ssh_config: the names in Host lines, without patterns.

Format: https://man.openbsd.org/ssh_config. Relative Includes are beside the file. Skips `Match`, as we run no programs.
"""

from __future__ import annotations

import fnmatch
import functools
import getpass
import glob
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.fleet.foreign.sources import ImportedHost, Notes, Spot, WrongSource, contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


# OpenSSH's (readconf.c, READCONF_MAX_DEPTH).
DEEPEST = 16
MOST_FILES = 1000
JUMP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[^\]]+)\]|(?P<name>[^:@\[\]/]+))(?::(?P<port>\d+))?/?")
# A word with quoted parts, or a comment.
WORD = re.compile(r"""\s*(?:#.*|((?:"[^"]*"|'[^']*'|[^\s"'])+))""")
QUOTED = re.compile(r""""([^"]*)"|'([^']*)'""")
LINE = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+)(.*)")
TAKEN = frozenset({"hostname", "user", "port", "identityfile", "proxyjump"})
# Skipped options that affect where or how ssh logs in.
MISSED = frozenset({"proxycommand", "certificatefile", "identityagent", "hostkeyalias", "pkcs11provider"})
KNOWN = frozenset({"host", "match", "include", *TAKEN, *MISSED})
WILD = ("*", "?", "!")
WILDCARD = re.compile(r"[*?]")
MOST_COMPILED = 100_000
# Git servers' user: not a host to set up.
FORGE = "git"


class Patterns:
    """Patterns with their blocks, found by a literal part of the name: trying thousands would take minutes."""

    def __init__(self) -> None:
        self._by_start: dict[str, list[tuple[str, int]]] = {}
        self._by_end: dict[str, list[tuple[str, int]]] = {}
        self._by_middle: list[tuple[str, str, int]] = []

    def add(self, pattern: str, about: int) -> None:
        parts = WILDCARD.split(pattern)
        longest = max(parts, key=len)
        if longest == parts[0] != "":
            self._by_start.setdefault(longest, []).append((pattern, about))
        elif longest == parts[-1] != "":
            self._by_end.setdefault(longest, []).append((pattern, about))
        else:
            self._by_middle.append((longest, pattern, about))

    def fitting(self, name: str) -> Iterator[int]:
        for at in range(1, len(name) + 1):
            yield from (about for pattern, about in self._by_start.get(name[:at], ()) if is_like(name, pattern))
            yield from (about for pattern, about in self._by_end.get(name[-at:], ()) if is_like(name, pattern))
        for middle, pattern, about in self._by_middle:
            if middle in name and is_like(name, pattern):
                yield about


class Condition:
    """A Host line. A matching negated pattern excludes a name."""

    def __init__(self, words: Sequence[str]) -> None:
        plain = [word for word in words if not word.startswith("!")]
        self.names = frozenset(word for word in plain if not is_wild(word))
        self.wild = tuple(word for word in plain if is_wild(word))
        self._wild, self._excluded = Patterns(), Patterns()
        for word in self.wild:
            self._wild.add(word, 0)
        for word in words:
            if word.startswith("!"):
                self._excluded.add(word.removeprefix("!"), 0)

    def fits(self, name: str) -> bool:
        is_meant = name in self.names or any(True for _ in self._wild.fitting(name))
        return is_meant and not any(True for _ in self._excluded.fitting(name))


@dataclass
class Block:
    """Options for hosts that meet all conditions. None, for a Match, is never met."""

    conditions: tuple[Condition | None, ...] = ()
    options: dict[str, tuple[str, Spot]] = field(default_factory=dict)

    def fits(self, name: str) -> bool:
        return all(condition is not None and condition.fits(name) for condition in self.conditions)


class Config:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.blocks: list[Block] = []
        self.names: dict[str, Spot] = {}
        self.files = 0
        # Options of hosts read so far.
        self.known: dict[str, dict[str, str]] = {}

    def read(self, text: str, path: str, outer: tuple[Condition | None, ...] = (), depth: int = 0) -> None:
        """Read a file. Its blocks also need the `outer` conditions. Raises WrongSource."""
        block = Block(outer)
        self.blocks.append(block)
        for number, line in enumerate(text.split("\n"), start=1):
            spot = Spot(path, number)
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                continue
            keyword, words = taken_apart(stripped, spot)
            if keyword == "host":
                block = Block((*outer, Condition(words)))
                self.blocks.append(block)
                self.take_names(words, block, spot)
            elif keyword == "match":
                always = [word.lower() for word in words] == ["all"]
                block = Block(outer if always else (*outer, None))
                self.blocks.append(block)
                if not always:
                    self.notes.add(spot, "this Match block is skipped: only ssh can evaluate it")
            elif keyword == "include":
                self.include(words, block, spot, depth)
                # The block continues after the included blocks.
                block = Block(block.conditions)
                self.blocks.append(block)
            elif keyword in TAKEN:
                block.options.setdefault(keyword, (words[0], spot))
            elif keyword in MISSED and None not in block.conditions:
                self.notes.once(keyword, spot, f"{stripped[: len(keyword)]} is skipped")

    def take_names(self, words: Iterable[str], block: Block, spot: Spot) -> None:
        for word in words:
            if not is_wild(word) and block.fits(word):
                self.names.setdefault(word, spot)

    def include(self, patterns: Iterable[str], block: Block, spot: Spot, depth: int) -> None:
        if depth >= DEEPEST:
            raise WrongSource(spot, f"files include each other more than {DEEPEST} levels deep")
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
        """Return the first value, else ""."""
        if name not in self.known:
            self.known[name] = self.options_of(name)
        found = self.known[name].get(keyword, "")
        return "" if found.lower() == "none" else found

    def options_of(self, name: str) -> dict[str, str]:
        own, patterns, general = self.index
        found: dict[str, str] = {}
        for at in sorted({*own.get(name, ()), *patterns.fitting(name), *general}):
            block = self.blocks[at]
            if block.fits(name):
                for keyword, (value, _) in block.options.items():
                    found.setdefault(keyword, value)
        return found

    @functools.cached_property
    def index(self) -> tuple[dict[str, list[int]], Patterns, list[int]]:
        """Return block numbers by name, for patterns, and for all hosts."""
        own: dict[str, list[int]] = {}
        patterns = Patterns()
        general: list[int] = []
        for at, block in enumerate(self.blocks):
            if not block.options or None in block.conditions:
                continue
            if not block.conditions:
                general.append(at)
            elif last := block.conditions[-1]:
                for name in last.names:
                    own.setdefault(name, []).append(at)
                for pattern in last.wild:
                    patterns.add(pattern, at)
        return own, patterns, general

    def host(self, name: str, spot: Spot) -> ImportedHost:
        address = self.value(name, "hostname").replace("%h", name).replace("%%", "%") or name
        user, port = self.value(name, "user"), self.value(name, "port")
        return ImportedHost(name, spot, address, user, port, self.key(name, address, user), self.jump(name))

    def key(self, name: str, address: str, user: str) -> str:
        """Return the key file, "" if none or if only ssh can expand its name."""
        path = self.value(name, "identityfile")
        tokens = {"%%": "%", "%d": "~", "%h": address, "%n": name, "%r": user, "%u": getpass.getuser()}
        filled = re.sub(r"%.", lambda token: tokens.get(token[0], token[0]), path)
        if "${" in path or ("%" in filled and "%%" not in path):
            self.notes.add(self.names[name], f"the IdentityFile of {name} is skipped: only ssh can expand it")
            return ""
        return filled

    def jump(self, name: str) -> str:
        """Return a name in the file, or user@host[:port] with its options."""
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


def parse_ssh_config(text: str, path: str, notes: Notes) -> list[ImportedHost]:
    """Parse a file and its included files. Raises WrongSource."""
    config = Config(notes)
    config.read(text, path)
    found = []
    for name, spot in config.names.items():
        host = config.host(name, spot)
        if host.user == FORGE:
            notes.add(spot, f"{name} is left out: the user {FORGE} is for a forge")
            continue
        found.append(host)
    return found


def taken_apart(line: str, spot: Spot) -> tuple[str, list[str]]:
    """Return the keyword, in lower case, and words. Raises WrongSource."""
    found = LINE.fullmatch(line)
    if not found:
        raise WrongSource(spot, "this is not an ssh_config line: write Keyword value")
    words = list(words_of(found[2], spot))
    if not words:
        known = found[1].lower() in KNOWN
        raise WrongSource(spot, f"{found[1] if known else 'a keyword'} has no value")
    return found[1].lower(), words


def words_of(text: str, spot: Spot) -> Iterator[str]:
    """Yield words without quotes and comment. Raises WrongSource for an open quote."""
    at = 0
    while at < len(text):
        found = WORD.match(text, at)
        if not found:
            raise WrongSource(spot, "a quote is not closed")
        if found[1] is None:
            return
        yield QUOTED.sub(lambda part: part[1] or part[2] or "", found[1])
        at = found.end()


def is_wild(word: str) -> bool:
    return any(mark in word for mark in WILD)


def is_like(name: str, pattern: str) -> bool:
    return bool(compiled(pattern).fullmatch(name))


@functools.lru_cache(maxsize=MOST_COMPILED)
def compiled(pattern: str) -> re.Pattern[str]:
    # ssh's patterns have no brackets.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
