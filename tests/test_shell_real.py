"""What the real shells make of it: values come out as they were, in every way of evaluating, and nothing else runs."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machinectl import shell
from tests.support.real import need
from tests.support.shells import EVALUATIONS, Evaluation, evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAYLOADS = (
    "$(payload)",
    "`payload`",
    ";payload;",
    "\npayload\n",
    "|payload",
    "&payload&",
    '"; payload; "',
    "'; payload; '",
    "(payload)",
    "<(payload)",
    "\\\npayload",
    "$(payload",
    '") (call-process "payload") ("',
    ">written",
    "> written",
    "${HOME}",
    "$HOME",
    "~",
    "~root",
    "!!",
    "!payload",
    "^a^b",
    "#",
    "# a",
    "a #b",
    "%i",
    "%PATH%",
)
ODDITIES = (
    "",
    "tcp://[::1]:2376",
    "unix:///var/run/docker.sock",
    "ssh://ops@192.168.0.29:22",
    "a b",
    " a",
    "a ",
    "a  b",
    "\ta\t",
    "\n",
    "a\n",
    "\n\na\n\n",
    "a\r\nb\r",
    "*",
    "?",
    "[a-z]*",
    "{a,b}",
    "**/*",
    "-n",
    "-e",
    "--help",
    "-- x",
    "\\",
    "\\\\n\\0",
    "a\\",
    "\\*",
    "é",
    "日本語 “quoted”",
    "\u00a0a\u3000",
    "\U0001f433",
    "\x01\x1b[0m\x7f",
    "\udcff\udcfe",
    "a\udc80\n",
    "\udce2\udc80",
    "A=1",
    "=ls",
    "x" * 3000,
    "'\"" * 200,
)
NASTY = [
    *PAYLOADS,
    *ODDITIES,
    *string.punctuation,
    # Some shells start a program for each value: all in one.
    " ".join(f"a{mark}b" for mark in string.punctuation),
    "".join(f"{mark} {mark}" for mark in string.punctuation),
]
ANYTHING = st.one_of(
    st.text(string.punctuation + " \t\nab0é", max_size=20),
    st.lists(st.sampled_from(PAYLOADS + ODDITIES[:20]), max_size=4).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.binary(max_size=20).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
)
ways = pytest.mark.parametrize("way", EVALUATIONS, ids=str)


def numbered(values: Sequence[str | None]) -> dict[str, str | None]:
    return {f"V{number}": value for number, value in enumerate(values)}


def script(way: Evaluation, variables: dict[str, str | None], *arguments: str) -> str:
    return shell.env_script(way.shell, variables, ["machinectl", *(arguments or ("env", "orionbox"))], "")


def expect(way: Evaluation, variables: dict[str, str | None], *arguments: str, locale: str = "C.UTF-8") -> None:
    """Evaluate, and find the variables as they should be, nothing run and nothing complained of."""
    before = {name: "before" for name, value in variables.items() if value is None}
    outcome = evaluate(way, script(way, variables, *arguments), before, locale)
    wrong = {
        name: (value, outcome.variables.get(name))
        for name, value in variables.items()
        if outcome.variables.get(name) != value
    }
    assert not wrong
    assert not outcome.strays
    assert outcome.arguments is None
    assert outcome.stderr == ""


@ways
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_every_nasty_value_comes_out_as_it_was_and_runs_nothing(way: Evaluation, locale: str) -> None:
    way.need()
    expect(way, numbered(NASTY), locale=locale)


@ways
# Each example starts a shell: few, with many values.
@settings(max_examples=4)
@given(
    values=st.lists(ANYTHING, min_size=8, max_size=32) | st.lists(st.none() | ANYTHING, min_size=8, max_size=32),
    arguments=st.lists(ANYTHING, min_size=8, max_size=32),
)
def test_whatever_the_values_and_the_command_line_the_values_come_out_and_nothing_runs(
    way: Evaluation, values: list[str | None], arguments: list[str]
) -> None:
    way.need()
    expect(way, numbered(values), *arguments)


@ways
def test_unsetting_removes_every_variable(way: Evaluation) -> None:
    way.need()
    expect(way, dict.fromkeys(("DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME")))


@ways
@pytest.mark.parametrize("mixed", [False, True], ids=["set", "set and unset"])
def test_a_hostile_command_line_in_the_hint_runs_nothing(way: Evaluation, mixed: bool) -> None:
    way.need()
    variables: dict[str, str | None] = {"A": "1", "B": None if mixed else "2", "C": "tcp://[::1]:2376"}
    expect(way, variables, *NASTY)


@ways
def test_the_hint_runs_the_command_as_it_was_typed(way: Evaluation) -> None:
    way.need()
    typed = [argument for argument in NASTY if not argument.endswith("\n")]
    hint = script(way, {}, *typed).splitlines()[1]
    # The locale in which tcsh is exact.
    outcome = evaluate(way, "", locale="C", line=hint.removeprefix(shell.SHELLS[way.shell].comment).lstrip())
    assert outcome.arguments == typed
    assert not outcome.strays


DETECT = "import os, sys; from machinectl.shell import detect; sys.stdout.write(detect(os.environ, os.getppid()))"


def detected(command: list[str], login_shell: str) -> str:
    environment = {**os.environ, "SHELL": login_shell, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout.decode()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["bash", "--norc", "-c"], "bash"),
        (["zsh", "-f", "-c"], "zsh"),
        (["dash", "-c"], "dash"),
        (["fish", "-N", "-c"], "fish"),
        (["tcsh", "-f", "-c"], "tcsh"),
    ],
    ids=str,
)
def test_the_shell_that_asks_is_found_whatever_the_login_shell(command: list[str], expected: str) -> None:
    need(command[0])
    login_shell = "/bin/bash" if expected == "fish" else "/usr/bin/fish"
    # The second command keeps the shell from becoming the first.
    line = f"'{sys.executable}' -c '{DETECT}'; true"
    assert detected([*command, line], login_shell) == expected


@pytest.mark.parametrize("name", ["deploy", "fish"])
def test_a_script_counts_as_the_shell_that_runs_it(name: str, tmp_path: Path) -> None:
    script_file = tmp_path / name
    script_file.write_text(f"#!/bin/bash\n'{sys.executable}' -c '{DETECT}'\ntrue\n", encoding="utf-8")
    script_file.chmod(0o755)
    need("bash")
    assert detected([str(script_file)], "/usr/bin/fish") == "bash"
