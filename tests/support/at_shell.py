"""A person at a shell: a real bash, zsh or fish in a terminal, keys that are typed there, and what is seen then."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pyte

from machinectl.cli.parsing.shell_snippets import start_up_code
from tests.support.program import COMMAND, open_terminal
from tests.support.puppets import TerminalView
from tests.support.real import need
from tests.support.shells import put_program, variables_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ROWS, COLUMNS = 50, 120
# `clear` is a program, which takes longer to start than all the rest of a test's line. No alias is meant.
CLEAR = r"\printf '\033[H\033[2J'"
TAB, CONTROL_C, CONTROL_U = "\t", "\x03", "\x15"
# How each shell is started with the start-up file in a directory and no other one, and a prompt that is known.
STARTS = {
    "bash": (["bash", "--noprofile", "--rcfile", "{home}/.bashrc", "-i"], ".bashrc", "PS1='ready> '\n"),
    "zsh": (["zsh", "-d", "-i"], ".zshrc", "PROMPT='ready> '\nautoload -Uz compinit && compinit -u -d {dump}\n"),
    "fish": (["fish", "-i"], ".config/fish/config.fish", "function fish_prompt; printf 'ready> '; end\n"),
}
SHELLS = tuple(STARTS)
# Each without any start-up file, to run a script.
ENV = {"bash": "\\env", "zsh": "\\env", "fish": "command env"}
PLAIN = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "-N"]}


class Screen(pyte.Screen):
    """A terminal that answers when it is asked what it can do: fish waits for that."""

    terminal = -1

    def write_process_input(self, data: str) -> None:
        os.write(self.terminal, data.encode())


class Person(TerminalView):
    """Who types, and looks at the screen."""

    def __init__(self, terminal: int, log: Path) -> None:
        screen = Screen(COLUMNS, ROWS)
        screen.terminal = terminal
        super().__init__(terminal, screen)
        self.log = log
        self.ran = 0

    def until_line(self, line: str) -> None:
        """Look on until the last line is this one."""
        self.until(lambda: bool(self.lines) and self.lines[-1] == line)

    def run(self, line: str) -> list[str]:
        """Run a command line on a cleared screen, and return what it printed."""
        self.ran += 1
        end = f"ran {self.ran}"
        self.type(f"{CLEAR}; {line}; echo ran {self.ran}\r")
        self.until(lambda: end in self.lines and self.lines[-1].endswith("ready>"))
        found = self.lines
        return found[: found.index(end)]

    def started(self) -> list[str]:
        """How machinectl was started, since it was asked last."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


class Ran(NamedTuple):
    """What became of a script: the variables that it exported in the end, and what was started of ours."""

    variables: Mapping[str, str]
    stdout: str
    stderr: str
    code: int
    started: list[str]

    def docker(self) -> dict[str, str]:
        return {name: value for name, value in self.variables.items() if name.startswith("DOCKER_")}


def ran(shell: str, home: Path, script: str, *, before: str = "", environment: Mapping[str, str] | None = None) -> Ran:
    """Run a script that has our snippet, with lines of its own before it."""
    need(shell)
    program = put_machinectl(home)
    look = home / "variables"
    file = home / "script"
    file.write_text(
        f"{before}\n{start_up_code(shell, [str(program)], prompt=False)}\n{script}\n{ENV[shell]} -0 >{look}\n"
    )
    process = subprocess.run(
        [*PLAIN[shell], str(file)],
        env=variables(home, environment or {}),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=60,
    )
    log = home / "started"
    started = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    found = variables_in(look)
    look.unlink(missing_ok=True)
    return Ran(found, process.stdout, process.stderr, process.returncode, started)


def put_machinectl(home: Path) -> Path:
    """A program that is machinectl, and leaves a trace of how it was started."""
    program = home / "bin" / "machinectl"
    program.parent.mkdir(parents=True, exist_ok=True)
    put_program(program, f'echo "$*" >>{home}/started\nexec {" ".join(COMMAND)} "$@"')
    return program


@contextmanager
def at_shell(
    shell: str,
    home: Path,
    *,
    before: str = "",
    after: str = "",
    prompt: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Person]:
    """Somebody whose start-up file has our snippet, with lines of their own before and after it."""
    need(shell, "setsid")
    command, file, usual = STARTS[shell]
    program = put_machinectl(home)
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    # To look through zsh's completions takes a third of a second: once for all tests of a process.
    usual = usual.replace("{dump}", str(home.parents[1] / "zcompdump"))
    (home / file).write_text(f"{usual}{before}\n{start_up_code(shell, [str(program)], prompt=prompt)}\n{after}\n")
    ours, theirs = open_terminal(ROWS, COLUMNS)
    process = subprocess.Popen(
        # A session of its own, whose terminal this is: keys are signals there.
        ["setsid", "--ctty", *(word.format(home=home) for word in command)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=variables(home, environment or {}),
        cwd=home,
    )
    os.close(theirs)
    try:
        person = Person(ours, home / "started")
        person.until(lambda: bool(person.lines) and person.lines[-1].endswith("ready>"))
        yield person
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def variables(home: Path, more: Mapping[str, str]) -> dict[str, Any]:
    kept = {key: value for key, value in os.environ.items() if key.startswith(("PYTHON", "COVERAGE"))}
    return {
        **kept,
        "PATH": f"{home}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": f"{home}/.config",
        "LC_ALL": "C.UTF-8",
        # pyte does not know how fish asks for keys in another spelling.
        "fish_features": "no-keyboard-protocols",
        "fish_greeting": "",
        "TERM": "xterm",
        **more,
    }
