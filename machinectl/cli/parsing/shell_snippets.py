"""Print shell start-up code: `use`, the prompt segment and completion. Light: start-up files run it."""

from __future__ import annotations

import os

from machinectl.errors import Hint, UsageError, closest_match, wrong_choice
from machinectl.shell import statement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "scripts")
SHELLS = ("bash", "zsh", "fish", "powershell")
ENDINGS: Mapping[str, str] = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "ps1"}
USE = {"bash": "use.sh", "zsh": "use.sh", "fish": "use.fish", "powershell": "use.ps1"}
# Each shell's start-up file, and the line to add to it.
STARTS: Mapping[str, tuple[str, str]] = {
    "bash": ("~/.bashrc", 'eval "$(machinectl shell-init bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(machinectl shell-init zsh)"'),
    "fish": ("~/.config/fish/config.fish", "machinectl shell-init fish | source"),
    "powershell": ("$PROFILE", "machinectl shell-init powershell | Out-String | Invoke-Expression"),
}
# An eval without quotes joins all lines into one. This line then reports it and comments out the rest.
WHOLE = "test '\n' != ' ' || echo 'machinectl: all lines became one; write: {start}' >&2 #\n"
LINEWISE = ("bash", "zsh", "fish")


def start_up_code(shell: str, program: Sequence[str], *, prompt: bool, root: str = "") -> str:
    """Return start-up code. Raises UsageError for an unknown shell.

    `program` runs machinectl. The shell uses the store `root` if given.
    """
    ending = ending_of(shell, "shell-init")
    names = [f"completion.{ending}", USE[shell], *([f"prompt.{ending}"] if prompt else [])]
    words = " ".join(map(QUOTED[shell], program))
    guard = WHOLE.format(start=STARTS[shell][1]) if shell in LINEWISE else ""
    store = f"{statement(shell, 'MACHINE_STORAGE_PATH', root)}\n" if root else ""
    text = "\n".join(map(read_script, names)).replace("@PROGRAM@", words).replace("@SHELL@", shell)
    return guard + store + text


def completion_script(shell: str) -> str:
    """Return completion for packages. Raises UsageError for an unknown shell."""
    return read_script(f"completion.{ending_of(shell, 'completion')}")


def ending_of(shell: str, verb: str) -> str:
    if shell in ENDINGS:
        return ENDINGS[shell]
    wrong = wrong_choice(verb, shell, SHELLS)
    near = closest_match(shell, SHELLS) or SHELLS[0]
    raise UsageError(wrong.cause if shell else "SHELL is missing", Hint("For example", f"machinectl {verb}", near))


def read_script(name: str) -> str:
    with open(os.path.join(SCRIPTS, name), encoding="utf-8") as file:
        return file.read()


# Quotes a word for each shell.
QUOTED: Mapping[str, Callable[[str], str]] = {
    "bash": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "zsh": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "fish": lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
    "powershell": lambda text: "'" + text.replace("'", "''") + "'",
}
