"""The verbs `env` and `config`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.output.stdout import print_json, print_lines, write_file, write_out
from machinectl.errors import Hint, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


def env(
    here: Session,
    *,
    names: list[str],
    shell: str | None,
    unset: bool,
    no_proxy: bool,
    swarm: bool,
    form: str,
    as_json: bool,
) -> None:
    if (shell is not None) + bool(form) + as_json > 1:
        raise UsageError("--shell, --format and --json exclude each other", Hint("Leave all but one out"))
    from machinectl.commands.env import env as command
    from machinectl.commands.env import env_file
    from machinectl.shell import SHELLS, plain_name

    if form := "json" if as_json else form:
        write_file(
            env_file(here.store, names, form, unset=unset, no_proxy=no_proxy, environment=os.environ, swarm=swarm)
        )
        return
    if shell and plain_name(shell) not in SHELLS:
        # docker-machine, too, prints sh's lines.
        here.console.note(f"Unknown shell {shell!r}, so these lines are for sh. Known shells are {', '.join(SHELLS)}")
    write_out(
        command(
            here.store,
            names,
            shell=shell,
            unset=unset,
            no_proxy=no_proxy,
            typed=sys.argv,
            environment=os.environ,
            swarm=swarm,
        )
    )


def config(here: Session, *, names: list[str], swarm: bool, as_json: bool) -> None:
    from machinectl.commands.config import config as command
    from machinectl.machines.selection import chosen_one

    name = chosen_one(here.store, names)
    flags = command(here.store, here.console, [name], os.environ, swarm=swarm)
    if as_json:
        print_json({"Name": name, "Flags": flags})
    else:
        print_lines(flags)
