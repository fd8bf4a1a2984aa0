"""The verbs `env` and `config`."""

from __future__ import annotations

import os
import sys

from machinectl.cli.declared_verb import PRINTS, Verb
from machinectl.cli.output.stdout import print_json, print_lines, write_file, write_out
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session


ENV_UNSET = Flag("-u", "--unset", help="Print the commands that unset the variables.")
ENV_NO_PROXY = Flag("--no-proxy", help="Add the machine's address to NO_PROXY.")
SWARM_MANAGER = Flag("--swarm", help="Point at a manager of the machine's swarm that answers.")

VERBS = {
    "env": Verb(
        "env",
        examples=("eval $(machinectl env orionbox)", "eval $(machinectl env -u)"),
        arguments=(shared.ONE_NAME,),
        flags=(
            shared.ENV_SHELL,
            ENV_UNSET,
            ENV_NO_PROXY,
            SWARM_MANAGER,
            Flag(
                "--format",
                metavar="FORM",
                help="Print a file for tools instead: json, dotenv or properties.",
                parameter="form",
                value=("json", "dotenv", "properties"),
            ),
            Flag("--json", help="The same as --format json.", parameter="as_json"),
        ),
        output=PRINTS,
        follows=False,
    ),
    "config": Verb(
        "config",
        examples=("docker $(machinectl config orionbox) ps",),
        arguments=(shared.ONE_NAME,),
        flags=(SWARM_MANAGER, shared.JSON),
        output=PRINTS,
    ),
}


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
