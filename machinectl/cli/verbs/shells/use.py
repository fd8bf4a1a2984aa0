"""The verbs `use`, `shell-init` and `completion`."""

from __future__ import annotations

import os

from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out
from machinectl.cli.parsing.shell_snippets import STARTS
from machinectl.errors import MachineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


def use(here: Session, *, names: list[str], unset: bool) -> None:
    name = next((name for name in names if name != "-"), "<NAME>")
    raise not_a_function("-u" if unset else name)


def shell_init(here: Session, *, shell: str, prompt: bool) -> None:
    from machinectl.cli.parsing.shell_snippets import start_up_code
    from machinectl.machines.store import Store
    from machinectl.shell import program

    words = program(THIS.script, os.environ.get("PATH", ""))
    root = here.store.root if here.store.root != Store().root else ""
    write_out(start_up_code(shell, words, prompt=prompt, root=root))


def completion(here: Session, *, shell: str) -> None:
    from machinectl.cli.parsing.shell_snippets import completion_script

    write_out(completion_script(shell))


def not_a_function(wanted: str) -> MachineError:
    """Return the error for `use` as a program, which cannot change its parent shell."""
    from machinectl.shell import POSIX, SHELLS, detect

    shell = detect(os.environ, os.getppid())
    once = SHELLS.get(shell, POSIX).evaluation(f"machinectl env {wanted}")
    start = STARTS.get({"pwsh": "powershell"}.get(shell, shell))
    if start is None:
        return MachineError(f"use is for {', '.join(STARTS)}: {shell} has no function for it", f"In this shell: {once}")
    file, line = start
    return MachineError(
        "use is a function of the shell's, which this one does not have yet",
        f"From now on, in {file} too: {line}\nThen: machinectl use {wanted}\nFor this once: {once}",
    )
