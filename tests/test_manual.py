"""The command reference is what --help says now, and nothing that who shows it stumbles over."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from machinectl.cli.catalogue import VERBS, group_verbs
from tests.support import manual
from tests.support.real import need

if TYPE_CHECKING:
    from pathlib import Path

PAGE, REFERENCE = manual.FORMS


@pytest.mark.parametrize("path", manual.FORMS, ids=lambda path: path.name)
def test_the_reference_was_written_from_the_help_of_today(path: Path) -> None:
    is_of_today = path.read_text() == manual.FORMS[path]()
    assert is_of_today, f"{path.name} is not what --help says now. Write it anew: make reference"


def test_each_verb_is_on_the_page_as_a_person_reads_it() -> None:
    need("groff")
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=100n", PAGE], capture_output=True, check=True
    )
    assert shown.stderr == b""
    text = shown.stdout.decode()
    for name in (
        *(name for name, verb in VERBS.items() if verb.section),
        *(" ".join(words) for words in group_verbs()),
    ):
        assert f"machinectl {name}" in text
    assert "--generic-ip-address ADDRESS" in text


def test_each_piece_of_it_is_in_the_markdown_as_a_person_reads_it() -> None:
    lines = read(REFERENCE.read_text())
    for kind, first, *rest in manual.pieces():
        said = {"option": f"{first}: {' '.join(rest)}", "verb": first, "example": f"$ {first}"}.get(kind, first)
        assert said.replace("`", "") in lines


def read(text: str) -> set[str]:
    """The lines of a Markdown text without their marks, as GitHub's readers see them."""
    blocks = MarkdownIt().parse(text)
    code = {line for block in blocks if block.type == "fence" for line in block.content.splitlines()}
    return code | {"".join(piece.content for piece in block.children) for block in blocks if block.children}
