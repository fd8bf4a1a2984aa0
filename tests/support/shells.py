"""Real shells that evaluate what `env` prints, and a place where it shows if they do anything but set variables."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.real import need

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Files that the words of an unquoted eval would match, were they taken for patterns.
BAIT = (*"abx1:]\\~#`('\"$-!", "tcp:", "export", "touch", "A=1")
# Files that the programs of the bench write.
TRACES = ("payload-ran", "arguments", "variables")


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
    *posix("zsh", "-f"),
    *posix("zsh", "-f", "-eu", "-o", "extendedglob"),
    *posix("dash"),
    *posix("mksh"),
    *posix("busybox", "sh"),
    Evaluation("bash", ("bash", "--norc", "--noediting", "-iH"), "eval $(CMD)", interactive=True),
    Evaluation("bash", ("bash", "--norc", "--noediting", "-iH"), "PASTED", interactive=True),
    Evaluation("zsh", ("zsh", "-fi"), "eval $(CMD)", interactive=True),
    Evaluation("fish", ("fish", "-N", "-c"), "eval (CMD)"),
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
    root = bench()
    Path(root, "output").write_bytes(os.fsencode(text))
    # What a shell keeps there, as a history, is not there for the next one.
    with tempfile.TemporaryDirectory(dir=root) as home:
        process = subprocess.run(
            command_of(way, text, line),
            input=os.fsencode(typed_in(way, text, line)) if way.interactive else b"",
            cwd=bait(root),
            env={
                "PATH": f"{root}/programs:{os.environ['PATH']}",
                "HOME": home,
                "LC_ALL": locale,
                **(environment or {}),
            },
            capture_output=True,
            check=False,
            timeout=60,
        )
    traces = {name: root.joinpath(name).read_bytes() for name in TRACES if root.joinpath(name).exists()}
    for name in traces:
        root.joinpath(name).unlink()
    return Outcome(
        variables=variables_of(traces.get("variables", b"")),
        strays=sorted({*os.listdir(root / "place")} - {*BAIT}) + [name for name in traces if name == "payload-ran"],
        arguments=os.fsdecode(traces["arguments"]).split("\0")[:-1] if "arguments" in traces else None,
        stderr="" if way.interactive else os.fsdecode(process.stderr),
    )


@functools.cache
def bench() -> Path:
    """Return this process's directory for evaluations, with programs that leave a trace in it."""
    root = Path(tempfile.mkdtemp(prefix="shells-"))
    atexit.register(shutil.rmtree, root)
    root.joinpath("programs").mkdir()
    for name, script in (
        ("payload", f"touch {root}/payload-ran"),
        ("machinectl", f'printf "%s\\0" "$@" >{root}/arguments'),
        ("statements", f"exec cat {root}/output"),
        ("look", f"exec env -0 >{root}/variables"),
    ):
        put_program(root / "programs" / name, script)
    return root


def bait(root: Path) -> Path:
    """Return a directory with the bait and nothing else."""
    place = root / "place"
    if not place.exists() or {*os.listdir(place)} != {*BAIT}:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in BAIT:
            place.joinpath(name).touch()
    return place


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
    return variables_of(path.read_bytes()) if path.exists() else {}


def variables_of(data: bytes) -> dict[str, str]:
    """Read what `env -0` printed."""
    entries = (entry.partition("=") for entry in os.fsdecode(data).split("\0") if entry)
    return {name: value for name, _, value in entries}
