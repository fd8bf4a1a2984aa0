"""The verbs `use`, `shell-init` and `completion`."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import PRINTS, Argument, Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out
from machinectl.errors import Hint, MachineError
from machinectl.machines.flags import SHELL, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


PROMPT = Flag("--prompt", help="Show the machine in front of the prompt.")

VERBS = {
    "use": Verb(
        "use",
        more="`use -` returns to the previous machine. `use` is a shell function that `machinectl shell-init` prints.",
        examples=("machinectl use orionbox", "machinectl use -", "machinectl use --unset"),
        arguments=(shared.ONE_NAME,),
        flags=(
            Flag("-u", "--unset", help="Point at no machine."),
            Flag("--shell", metavar="SHELL", help="Print what the function sets.", default="", hidden=True),
        ),
        output=PRINTS,
    ),
    "shell-init": Verb(
        "shell_init",
        more="It defines `use`, completion, and machinectl_prompt for your own prompt.",
        examples=('eval "$(machinectl shell-init bash)"', "machinectl shell-init fish | source"),
        arguments=(Argument("shell", "SHELL", SHELL),),
        flags=(PROMPT,),
        output=PRINTS,
        follows=False,
    ),
    "completion": Verb(
        "completion",
        examples=("machinectl completion zsh > ~/.zfunc/_machinectl",),
        arguments=(Argument("shell", "SHELL", SHELL),),
        output=PRINTS,
        follows=False,
    ),
}


def use(here: Session, *, names: list[str], unset: bool, shell: str) -> None:
    from machinectl.cli.parsing.shell_snippets import STARTS

    if shell:
        print_variables(here, names, shell)
        return
    for name in names:
        if name != "-":
            here.store.check_exists(name)
    name = next((name for name in names if name != "-"), "<NAME>")
    raise MachineError(
        f"use is a function of {', '.join(STARTS)}, and this shell has not loaded it",
        ways_to_use("-u" if unset else name),
    )


def print_variables(here: Session, names: list[str], shell: str) -> None:
    """Print what the shell's function sets. Errors repeat the command without the function's own flag."""
    from machinectl.verbs.env import env

    THIS.typed = [word for word in THIS.typed if not word.startswith("--shell")]
    as_json = shell == "json"
    env(
        here,
        names=names,
        shell=None if as_json else shell,
        unset=False,
        no_proxy=False,
        swarm=False,
        form="",
        as_json=as_json,
    )


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


def ways_to_use(wanted: str) -> Hint:
    """Return the line that points this shell's docker at a machine, and the one that loads the function `use`."""
    from machinectl.cli.parsing.shell_snippets import STARTS
    from machinectl.shell import POSIX, SHELLS, detect

    shell = detect(os.environ, os.getppid())
    once = SHELLS.get(shell, POSIX).evaluation(f"machinectl env {wanted}")
    file, line = STARTS.get({"pwsh": "powershell"}.get(shell, shell), ("", ""))
    return Hint("", once) | Hint(f"For the verb use, add to {file}", line) if line else Hint("", once)
