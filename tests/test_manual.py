"""The man page is what --help says now, and nothing that a man program stumbles over."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machinectl.cli.catalogue import VERBS, of_groups
from tests.support import manual
from tests.support.real import need

PAGE = Path(__file__).parents[1] / "machinectl" / "machinectl-docker.1"


def test_the_page_was_written_from_the_help_of_today() -> None:
    assert PAGE.read_text() == manual.page(), "make man"


def test_each_verb_is_in_it_as_a_person_reads_it() -> None:
    need("groff")
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=100n", PAGE], capture_output=True, check=True
    )
    assert shown.stderr == b""
    text = shown.stdout.decode()
    for name in (
        *(name for name, verb in VERBS.items() if verb.section),
        *(" ".join(words) for words in of_groups()),
    ):
        assert f"machinectl {name}" in text
    assert "--generic-ip-address ADDRESS" in text
