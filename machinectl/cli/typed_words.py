"""Repeat what was typed, in hints, without its secrets: logs keep standard error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from machinectl.errors import CUT, is_placeholder
from machinectl.files.atomic import quote_word
from machinectl.masking import HIDDEN, is_secret, without_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Verbs that run a command on the host. The words after the dashes are not machinectl's, and may hold secrets.
RUNNING = frozenset({"run", "docker", "compose", "socket", "ssh"})
DASHES = "--"
USER_IN_URL = re.compile(r"""(?<=://)[^/\s"]*:[^/\s"]*@|(?<=http://)[^/\s"]+@|(?<=https://)[^/\s"]+@""")
# `mysql -pPASSWORD`
JOINED_PASSWORD = re.compile(r"^-p[^=]+$")


def typed_line(words: Sequence[str]) -> str:
    """Return the words as a shell takes them, with … for secrets and for what runs on the host."""
    return quoted(words_without_secrets(words))


def typed_order(words: Sequence[str]) -> str:
    """Return a command for a host or for docker, with … for secrets."""
    return quoted(JOINED_PASSWORD.sub(f"-p{CUT}", word) for word in hidden_values(words))


def quoted(words: Iterable[str]) -> str:
    """Leave … and <PLACEHOLDERS> without quotes: they stand for what is left out."""
    return " ".join(
        word if is_placeholder(word) else CUT.join(part and quote_word(part) for part in word.split(CUT)) or "''"
        for word in words
    )


def words_without_secrets(words: Sequence[str]) -> list[str]:
    end = end_of_own(words)
    return [*hidden_values(words[:end]), *([CUT] if words[end:] else [])]


def end_of_own(words: Sequence[str]) -> int:
    """Return where a command for the host begins, the number of words if there is none."""
    verb = next((at for at, word in enumerate(words) if word in RUNNING), len(words))
    if DASHES in words[verb:]:
        return words.index(DASHES, verb) + 1
    if words[verb : verb + 1] == ["ssh"]:
        name = next((at for at, word in enumerate(words) if at > verb and not word.startswith("-")), len(words))
        return min(name + 1, len(words))
    return len(words)


def hidden_values(words: Sequence[str]) -> list[str]:
    return [hidden_value(word, before) for before, word in zip(["", *words], words, strict=False)]


def hidden_value(word: str, before: str) -> str:
    """Hide a flag's secret value: `word` holds it, or is it if the word `before` is the flag."""
    takes_it = "=" not in before and before.startswith("-") and is_secret(before)
    # A value may begin with a dash.
    if word.startswith("--") or (word.startswith("-") and not takes_it):
        flag, equals, value = word.partition("=")
        return f"{flag}{equals}{shown_value(flag, value)}"
    return shown_value("" if "=" in before else before, word)


def shown_value(flag: str, value: str) -> str:
    if not value:
        return ""
    if (flag.startswith("-") and is_secret(flag)) or value.lstrip().startswith("{") or "PRIVATE KEY" in value:
        return CUT
    if flag.lstrip("-") == "engine-env":
        name, equals, _ = value.partition("=")
        return f"{name}{equals}{CUT}" if equals else value
    return USER_IN_URL.sub(f"{CUT}@", without_secret(USER_IN_URL.sub(f"{CUT}@", value)).replace(HIDDEN, CUT))
