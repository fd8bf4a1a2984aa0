"""Read IgnoreUnknown from the user's ssh configuration."""

from __future__ import annotations

import glob
import os
import re
from typing import TYPE_CHECKING

from machinectl.files.atomic import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

# OpenSSH's files, in its order (ssh_config(5)).
USERS_OWN = ("~/.ssh/config", "/etc/ssh/ssh_config")
LINE = re.compile(r"^\s*(include|ignoreunknown)(?:\s*=\s*|\s+)(.*)$", re.IGNORECASE | re.MULTILINE)
WORD = re.compile(r'"([^"]*)"|([^\s"]+)')
PATTERN = re.compile(r"!?[\w*?]+", re.ASCII)
# OpenSSH's READCONF_MAX_DEPTH (readconf.c).
DEEPEST = 16


def ignored_options(but: str) -> list[str]:
    """Return patterns for any host; skip the file `but`."""
    found = []
    for own in USERS_OWN:
        path = os.path.expanduser(own)
        for value in ignore_unknown_values(path, os.path.dirname(path), os.path.realpath(but), DEEPEST):
            found += [pattern for pattern in value.split(",") if PATTERN.fullmatch(pattern)]
    return list(dict.fromkeys(found))


def ignore_unknown_values(path: str, directory: str, but: str, deepest: int) -> Iterator[str]:
    """Includes are relative to `directory`."""
    try:
        text = read_file(path).decode(errors="replace")
    except OSError:
        return
    for keyword, rest in LINE.findall(text):
        words = [quoted or plain for quoted, plain in WORD.findall(rest)]
        if keyword.lower() == "ignoreunknown":
            yield from words[:1]
        elif deepest:
            for word in words:
                for included in sorted(glob.glob(os.path.join(directory, os.path.expanduser(word)))):
                    if os.path.realpath(included) != but:
                        yield from ignore_unknown_values(included, directory, but, deepest - 1)
