"""The verbs `use`, `shell-init` and `completion`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import write_out
from machinectl.errors import Hint, MachineError
from machinectl.machines.flags import SHELL, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


# The shell's function sets it to the name of the shell; `use` sets the other one, to JSON in hexadecimal digits.
FUNCTION, BEFORE = "MACHINECTL_USE", "MACHINECTL_BEFORE"
PROMPT = Flag("--prompt", help="Show the machine in front of the prompt.")

VERBS = {
    "use": Verb(
        "use",
        more="`use -` returns to the previous machine. `use` is a shell function that `machinectl shell-init` prints.",
        examples=("machinectl use orionbox", "machinectl use -", "machinectl use --unset"),
        arguments=(shared.ONE_NAME,),
        flags=(Flag("-u", "--unset", help="Point at no machine."),),
        output=PRINTS,
        follows=False,
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


def use(here: Session, *, names: list[str], unset: bool) -> None:
    from machinectl.cli.parsing.shell_snippets import STARTS

    if shell := os.environ.get(FUNCTION, ""):
        write_out(used_statements(here, shell, names, unset=unset))
        return
    for name in names:
        if name != "-":
            here.store.check_exists(name)
    name = next((name for name in names if name != "-"), "<NAME>")
    raise MachineError(
        f"use is a function of {', '.join(STARTS)}, and this shell has not loaded it",
        ways_to_use("-u" if unset else name),
    )


def used_statements(here: Session, shell: str, names: list[str], *, unset: bool) -> str:
    """Return what the shell's function evaluates: the variables of `env`, and those of now for `use -`."""
    import json

    from machinectl.hosts.docker_environment import VARIABLES
    from machinectl.shell import statements
    from machinectl.verbs.env import env_variables

    now = {variable: os.environ.get(variable) for variable in VARIABLES}
    if names == ["-"]:
        wanted = variables_before()
        here.console.note(f"docker: {wanted['DOCKER_MACHINE_NAME'] or wanted['DOCKER_HOST'] or 'no machine'}")
    else:
        wanted = env_variables(here.store, names, os.environ, unset=unset)
    if context := "" if unset else os.environ.get("DOCKER_CONTEXT", ""):
        here.console.warn(
            f"DOCKER_CONTEXT={context} is set, too, and some tools put it first",
            Hint("Unset it", statements(shell, {"DOCKER_CONTEXT": None}).strip()),
        )
    changed = {variable: value for variable, value in wanted.items() if value is not None or now[variable] is not None}
    # Who uses the same machine again goes back to the one before it all the same.
    before = {BEFORE: json.dumps(now).encode().hex()} if wanted != now else {}
    return statements(shell, {**changed, **before})


def variables_before() -> dict[str, str | None]:
    """Return docker's variables of before this shell's last `use`."""
    import json

    if not (text := os.environ.get(BEFORE, "")):
        raise MachineError("No machine was used before in this shell", Hint("Name one", "machinectl use", "<NAME>"))
    variables: dict[str, str | None] = json.loads(bytes.fromhex(text))
    directory, name = variables["DOCKER_CERT_PATH"], variables["DOCKER_MACHINE_NAME"]
    # A machine's certificates are beside its record.
    if directory and name and not os.path.exists(directory):
        raise MachineError(
            f'Docker machine "{name}" does not exist any more', Hint("Name one", "machinectl use", "<NAME>")
        )
    return variables


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
