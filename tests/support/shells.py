"""Real shells that evaluate what `env` prints, and a place where it shows if they do anything but set variables."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Files that the words of an unquoted eval would match, were they taken for patterns.
BAIT = (
    "a",
    "b",
    "x",
    "1",
    ":",
    "]",
    "\\",
    "~",
    "tcp:",
    "export",
    "touch",
    "#",
    "`",
    "(",
    "'",
    '"',
    "$",
    "-",
    "!",
    "A=1",
)


@dataclass(frozen=True)
class Evaluation:
    """One way in which one shell is made to evaluate the output of a command."""

    # The name that `--shell` takes.
    shell: str
    # The shell's command line; what it is to run comes after it, or on its standard input where it is interactive.
    command: tuple[str, ...]
    # What is run, with CMD where the command stands.
    line: str
    interactive: bool = False

    def __str__(self) -> str:
        return f"{' '.join(self.command)}: {self.line}"

    def need(self) -> None:
        need(self.command[0])


def posix(*command: str) -> list[Evaluation]:
    return [Evaluation("sh", (*command, "-c"), line) for line in ('eval "$(CMD)"', "eval $(CMD)")]


EMACS = '(with-temp-buffer (shell-command "CMD" (current-buffer)) (eval-buffer))'
EVALUATIONS = [
    *posix("bash", "--norc"),
    *posix("bash", "--norc", "-O", "failglob"),
    *posix("bash", "--norc", "-O", "nullglob", "-O", "extglob", "-O", "dotglob"),
    *posix("bash", "--norc", "--posix", "-efu"),
    *posix("zsh", "-f"),
    *posix("zsh", "-f", "-eu", "-o", "extendedglob"),
    *posix("zsh", "--emulate", "sh", "-f"),
    *posix("dash"),
    *posix("dash", "-eu"),
    *posix("ksh93"),
    *posix("mksh"),
    *posix("busybox", "sh"),
    Evaluation("bash", ("bash", "--norc", "--noediting", "-iH"), "eval $(CMD)", interactive=True),
    Evaluation("bash", ("bash", "--norc", "--noediting", "-iH"), "PASTED", interactive=True),
    Evaluation("zsh", ("zsh", "-fi"), "eval $(CMD)", interactive=True),
    Evaluation("fish", ("fish", "-N", "-c"), "eval (CMD)"),
    Evaluation("fish", ("fish", "-N", "-c"), 'eval "$(CMD)"'),
    Evaluation("fish", ("fish", "-N", "-c"), "CMD | source"),
    Evaluation("tcsh", ("tcsh", "-f", "-c"), "eval `CMD`"),
    Evaluation("tcsh", ("tcsh", "-fi"), "eval `CMD`", interactive=True),
    Evaluation("tcsh", ("tcsh", "-fi"), "PASTED", interactive=True),
    Evaluation("emacs", ("emacs", "-Q", "--batch", "--eval"), EMACS),
]


@dataclass(frozen=True)
class Outcome:
    variables: Mapping[str, str]
    # What ran or was written besides: none, if all went well.
    strays: Sequence[str]
    # What a program called machinectl was given, where it ran.
    arguments: Sequence[str] | None
    stderr: str


def evaluate(
    way: Evaluation, text: str, environment: Mapping[str, str] | None = None, locale: str = "C.UTF-8", line: str = ""
) -> Outcome:
    """Let a shell evaluate `text` (or run `line`) in a directory full of bait, and look what became of it.

    `payload` and `machinectl` are programs on the PATH that leave a trace when they run.
    """
    with tempfile.TemporaryDirectory() as root:
        place, programs = Path(root, "place"), Path(root, "programs")
        place.mkdir()
        programs.mkdir()
        for name in BAIT:
            place.joinpath(name).touch()
        Path(root, "output").write_bytes(os.fsencode(text))
        put_program(programs / "payload", f"touch {root}/payload-ran")
        put_program(programs / "machinectl", f'printf "%s\\0" "$@" >{root}/arguments')
        put_program(programs / "statements", f"exec cat {root}/output")
        put_program(programs / "look", f"exec env -0 >{root}/variables")
        process = subprocess.run(
            command_of(way, text, line),
            input=os.fsencode(typed_in(way, text, line)) if way.interactive else b"",
            cwd=place,
            env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": root, "LC_ALL": locale, **(environment or {})},
            capture_output=True,
            check=False,
            timeout=60,
        )
        strays = sorted({*os.listdir(place)} - {*BAIT}) + sorted(map(str, Path(root).glob("payload-ran")))
        arguments = Path(root, "arguments")
        return Outcome(
            variables=variables_in(Path(root, "variables")),
            strays=strays,
            arguments=arguments.read_bytes().decode(errors="surrogateescape").split("\0")[:-1]
            if arguments.exists()
            else None,
            stderr="" if way.interactive else os.fsdecode(process.stderr),
        )


def put_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def command_of(way: Evaluation, text: str, line: str) -> list[str]:
    if way.interactive:
        return list(way.command)
    if way.shell == "emacs":
        return [*way.command, f'(progn {line or way.line.replace("CMD", "statements")} (call-process "look"))']
    return [*way.command, typed_in(way, text, line)]


def typed_in(way: Evaluation, text: str, line: str) -> str:
    """What a person would type: the evaluation, then a look at what it did."""
    first = text if way.line == "PASTED" else way.line.replace("CMD", "statements")
    return f"{line or first}\nlook\n"


def variables_in(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    entries = (entry.partition("=") for entry in os.fsdecode(path.read_bytes()).split("\0") if entry)
    return {name: value for name, _, value in entries}
