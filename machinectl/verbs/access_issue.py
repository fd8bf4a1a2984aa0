"""The verb `access issue`."""

from __future__ import annotations

import os

from machinectl.cli.declared_verb import Argument, Verb
from machinectl.cli.output.stdout import print_lines, print_result
from machinectl.cli.own_flags import LOGIN
from machinectl.errors import Hint
from machinectl.machines.flags import FILE, HOLDER, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login


# Those of hosts/access/tool_files, which is not light.
TOOLS = ("env", "github", "gitlab", "testcontainers")

VERBS = {
    "access issue": Verb(
        "access_issue",
        more=f"TOOL is {', '.join(TOOLS[:-1])} or {TOOLS[-1]}. It prints the commands to run to stdout. "
        "The same command again renews the certificates.",
        examples=(
            "machinectl access issue env orionbox rigel",
            "machinectl access issue github -l role=ci --for ci-runner --lifetime 12h",
        ),
        arguments=(Argument("tool", "TOOL", TOOLS, required=True), shared.NAMES),
        flags=(
            Flag(
                "--for",
                metavar="WHO",
                help="The holder's name, instead of the tool's.",
                value=HOLDER,
                parameter="who",
                default=None,
            ),
            shared.LIFETIME.with_changes(help=shared.LIFETIME.help.format("30d")),
            Flag("--out", metavar="DIR", help="Directory for the files (default: the holder's name).", value=FILE),
            Flag(
                "--address",
                metavar="ADDRESS",
                help="Of several addresses of a machine, the one that the tool uses (default: that of its URL).",
                parameter="addresses",
                many=True,
            ),
            Flag("-y", "--yes", help="Do not ask."),
            Flag("-f", "--force", help="Overwrite files in the directory that are not as an earlier run left them."),
            shared.RESTART_SWARM,
            shared.DRY_RUN,
            *LOGIN,
            *shared.CHOICE,
        ),
        refuses_empty=True,
    ),
}


def access_issue(
    here: Session,
    *,
    tool: str,
    names: list[str],
    login: Login,
    who: str | None,
    lifetime: str,
    out: str,
    addresses: list[str],
    yes: bool,
    force: bool,
    restart_swarm: bool,
    dry_run: bool,
) -> int:
    from machinectl.cli.tables.results import report_all, report_results
    from machinectl.commands.access import issue as command
    from machinectl.machines.addresses import parse_addresses
    from machinectl.provision.target import Allowed
    from machinectl.quantities import parse_lifetime

    if lifetime:
        parse_lifetime(lifetime)
    holder = tool if who is None else who
    issue = command.ToolIssue(
        tool,
        holder,
        os.path.abspath(out or holder),
        lifetime,
        force,
        Allowed(forcible=False, restart_swarm=restart_swarm),
        parse_addresses(addresses),
    )
    if dry_run:
        plans, files = command.plan_access_issue(here.store, here.console, names, login, issue)
        if files:
            print_lines(["Would write:", *(f"    {path}" for path in files)])
        return report_results(here, plans, names)
    issued = command.access_issue(here.store, here.console, names, login, issue, unasked=yes)
    if issued.lines:
        print_result(lambda: print_commands(here.console, issued.lines), issue.command(names))
    several = len(issued.failures) > 1 or len(names) > 1
    code = report_all(here, [each.named(name) if several else each for name, each in issued.failures])
    if issued.given:
        here.console.note(
            f"No file was written, though {' and '.join(issued.given)} would accept {holder}",
            Hint("The same command finishes it", issue.command(names)),
        )
    return code


def print_commands(console: Console, lines: Sequence[str]) -> None:
    """Print commands to stdout and comments to stderr, in turn: zsh takes a pasted # for a command."""
    for line in lines:
        if line.startswith("# "):
            console.note(line.removeprefix("# "))
        else:
            print_lines([line])
