"""Explain YAML errors: the place, and what to look for."""

from __future__ import annotations

import re
from typing import Any

import yaml

from machinectl.fleet.file_errors import START, Place

# Bytes: 10,000 hosts of 200 fit.
LONGEST_FILE = 8 << 20
NOT_YAML = "This is not YAML"
# The text before a [ and from it on.
# Compiled on first use: only errors need them, and one takes some milliseconds.
BEFORE_BRACKET = r"[^\s,{}\[\]\"']+$"
FROM_BRACKET = r"\[[^\s,{}\[\]]*\][^\s,{}\[\]]*"
# See https://yaml.org/spec/1.1/#c-printable.
FORBIDDEN = r"[^\t\n\r -~\x85\xa0-\ufffd\U00010000-\U0010ffff]"
ALIAS = r"\*([\w-]+)"


class NotADocument(Exception):
    """A file cannot be parsed. `unquoted` explains it without the file's text, which may be secret."""

    def __init__(self, place: Place, why: str, unquoted: str = "") -> None:
        super().__init__(why)
        self.place = place
        self.why = why
        self.unquoted = unquoted or why


class NotYAML(NotADocument):
    """A file that is not YAML."""


def place_of(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1, mark.name)


def decoded(data: bytes) -> str:
    if len(data) > LONGEST_FILE:
        raise NotADocument(START, f"The file has more than {LONGEST_FILE >> 20} MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", "replace")
        raise NotADocument(place_after(before), "This is not UTF-8: save the file as UTF-8") from exc
    if "\0" in text:
        raise NotADocument(place_after(text.partition("\0")[0]), "Here is a NUL, which no text file has")
    return text


def place_after(text: str) -> Place:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Place(len(lines), len(lines[-1]) + 1)


def translated(exc: Exception, text: str) -> NotADocument:
    if isinstance(exc, yaml.MarkedYAMLError):
        mark: Any = exc.problem_mark or exc.context_mark
        place = place_of(mark) if mark else START
        if exc.problem == "but found another document":
            return NotADocument(place, "Here begins another document: a fleet file has only one")
        if (exc.problem or "").startswith("found undefined alias") and (alias := re.match(ALIAS, text_at(mark, text))):
            return NotADocument(place, f"There is no &{alias[1]} before this *{alias[1]}", NOT_YAML)
        return NotYAML(place, *why_not_yaml(exc, text))
    if isinstance(exc, yaml.YAMLError):
        # A forbidden character: PyYAML's two parsers report different positions.
        forbidden = re.search(FORBIDDEN, text)
        position = forbidden.start() if forbidden else 0
        letter = text[position : position + 1]
        return NotADocument(place_after(text[:position]), f"YAML does not allow the character {letter!r}")
    return NotYAML(START, NOT_YAML)


def why_not_yaml(exc: yaml.MarkedYAMLError, text: str) -> tuple[str, str]:
    """Return why, and the same without the file's text."""
    mark: Any = exc.problem_mark
    rest = text_at(mark, text)
    before = text.splitlines()[mark.line][: mark.column] if rest else ""
    if f"{before}{rest[:1]}".endswith("${"):
        why = f"{NOT_YAML}: within {{ }} and [ ] a text with ${{…}} in it needs quotes"
        return f'{why}: "${{…}}"', why
    start, end = re.search(BEFORE_BRACKET, before), re.match(FROM_BRACKET, rest)
    if start and end:
        bracketed = f"{start[0]}{end[0]}".removesuffix(":")
        why = f"{NOT_YAML}: within {{ }} and [ ] a text with [ in it needs quotes"
        return f'{why}: "{bracketed}"', why
    if rest.startswith("\t"):
        return f"{NOT_YAML}: here is a tab, and only spaces indent", NOT_YAML
    return f"{NOT_YAML}: {' '.join(part for part in (exc.context, exc.problem) if part)}", NOT_YAML


def text_at(mark: Any, text: str) -> str:
    lines = text.splitlines()
    return lines[mark.line][mark.column :] if mark and mark.line < len(lines) else ""
