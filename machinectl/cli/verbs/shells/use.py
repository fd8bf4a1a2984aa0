"""The verbs for shells: what they read at their start, and `use`, which is theirs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from machinectl.cli.options.typer_verbs import OneName, session, verb
from machinectl.cli.parsing.shell_snippets import STARTS
from machinectl.cli.verbs import light_verbs
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHELL = typer.Argument(metavar="SHELL", show_default=False)


def add(app: typer.Typer, arguments: Sequence[str]) -> None:
    """Add the verbs for shells."""

    @verb(
        app, "use", "`use -` goes back to what this shell had before. It is a function of the shell's: see shell-init."
    )
    def use(
        ctx: typer.Context,
        names: OneName = None,
        unset: Annotated[bool, typer.Option("-u", "--unset", help="Point at no machine again.")] = False,
    ) -> None:
        name = next((name for name in names or [] if name != "-"), "<NAME>")
        raise not_a_function("-u" if unset else name)

    @verb(app, "shell-init", "It gives a shell `use`, completion, and machinectl_prompt for a prompt of your own.")
    def shell_init(
        ctx: typer.Context,
        shell: Annotated[str, SHELL] = "",
        prompt: Annotated[bool, typer.Option("--prompt", help="Show the machine in front of the prompt.")] = False,
    ) -> None:
        flags = {"prompt": ""} if prompt else {}
        here = session(ctx)
        light_verbs.shell_init(here.store, flags, [shell] if shell else [], here.program)

    @verb(app, "completion")
    def completion(ctx: typer.Context, shell: Annotated[str, SHELL] = "") -> None:
        here = session(ctx)
        light_verbs.completion(here.store, {}, [shell] if shell else [], here.program)


def not_a_function(wanted: str) -> MachineError:
    """What to do where `use` comes to a program, which cannot change the shell that started it."""
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
