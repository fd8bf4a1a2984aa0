"""The command reference is what --help says now, and nothing that who shows it stumbles over."""

from __future__ import annotations

import subprocess
import tomllib
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from machinectl.cli.catalogue import ALL
from machinectl.cli.help_pages import option_rows
from machinectl.cli.parsing.completion import driver_flags, driver_names
from tests.support.real import need
from tools import reference
from tools.generate import GENERATED, PAGE, ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_what_is_generated_follows_from_the_command_line_of_today(path: Path) -> None:
    is_of_today = path.read_text() == GENERATED[path]()
    assert is_of_today, f"{path.name} is not what --help says now. Write it anew: make reference"


def test_each_package_takes_along_what_is_generated() -> None:
    artifacts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["artifacts"]
    names = [f"/{path.relative_to(ROOT)}" for path in GENERATED]
    assert [name for name in names if not any(fnmatch(name, pattern) for pattern in artifacts)] == []


def test_each_verb_is_on_the_page_as_a_person_reads_it() -> None:
    need("groff")
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=100n", PAGE], capture_output=True, check=True
    )
    assert shown.stderr == b""
    text = shown.stdout.decode()
    for name in (name for name, verb in ALL.items() if verb.section):
        assert f"machinectl {name}" in text
    assert "--ip-address ADDRESS" in text
    # Each form of a command is a line of its own.
    assert "\n       create [OPTIONS] NAME\n\n" in text


def test_each_option_of_each_verb_is_in_the_reference() -> None:
    # Those before the first verb are of several verbs.
    found: dict[str, set[str]] = {}
    verb = ""
    for kind, first, *_ in reference.pieces():
        verb = first if kind == "verb" else verb
        found.setdefault(verb, set()).add(first)
    for name, declared in ALL.items():
        if declared.runs and not declared.hidden:
            assert {names for names, _ in option_rows(declared.flags)} <= found[name] | found[""]
    for driver in driver_names():
        assert {names for names, _ in option_rows(driver_flags(driver))} <= found[f"create -d {driver}"]


def read(text: str) -> set[str]:
    """The lines of a Markdown text without their marks, as GitHub's readers see them."""
    blocks = MarkdownIt().parse(text)
    code = {line for block in blocks if block.type == "fence" for line in block.content.splitlines()}
    return code | {"".join(piece.content for piece in block.children) for block in blocks if block.children}
