"""The verb `access issue`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import LOGIN, Argument, Verb
from machinectl.cli.output.stdout import print_lines, print_result
from machinectl.errors import NO_HINT, Hint
from machinectl.machines.flags import FILE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.tool_access import ToolIssue
    from machinectl.access.tool_files import EngineAccess
    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine


# Those of access/tool_files, which is not light.
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
            shared.WHO.with_changes(help="The holder's name, instead of the tool's."),
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
    from machinectl.access import tool_access
    from machinectl.cli.tables.results import report_all, report_results
    from machinectl.machines.addresses import parse_addresses
    from machinectl.provision.target import Allowed
    from machinectl.quantities import parse_lifetime

    if lifetime:
        parse_lifetime(lifetime)
    holder = tool if who is None else who
    issue = tool_access.ToolIssue(
        tool,
        holder,
        os.path.abspath(out or holder),
        lifetime,
        force,
        Allowed(forcible=False, restart_swarm=restart_swarm),
        parse_addresses(addresses),
    )
    if dry_run:
        plans, files = tool_access.plan_access_issue(here.store, here.console, names, login, issue)
        if files:
            print_lines(["Would write:", *(f"    {path}" for path in files)])
        return report_results(here, plans, names)

    def is_confirmed(machines: Sequence[Machine]) -> bool:
        return yes or confirm_issue(here.console, machines, issue)

    issued = tool_access.access_issue(here.store, here.console, names, login, issue, is_confirmed)
    again = issue.command([*(engine.name for engine in issued.engines), *(name for name, _ in issued.failures)])
    if issued.lines:
        note_end(here, issued.engines, issue)
        print_result(lambda: print_commands(here.console, issued.lines), again)
        return 0
    several = len(issued.failures) > 1 or len(names) > 1
    code = report_all(here, [error.named(name) if several else error for name, error in issued.failures])
    if issued.engines:
        given = " and ".join(engine.name for engine in issued.engines)
        hint = Hint("The same command finishes it", again)
        here.console.note(f"No file was written, though {given} would accept {holder}", hint)
    return code


def confirm_issue(console: Console, machines: Sequence[Machine], issue: ToolIssue) -> bool:
    from machinectl import certs
    from machinectl.access.granting import checked_holder, lifetime_of
    from machinectl.console import confirm, decline
    from machinectl.machines.holders import ADDING
    from machinectl.quantities import duration

    grant = issue.grant(certs.new_key())
    names = [machine.name for machine in machines]
    lifetimes = dict.fromkeys(duration(lifetime_of(machine, grant)) for machine in machines)
    console.note(
        f"About to make {issue.who} root on {engines_of(names)}, for {' or '.join(lifetimes)}; "
        f"its files go to {issue.directory}."
    )
    if new := [machine.name for machine in machines if checked_holder(machine, grant).state == ADDING]:
        console.note(f"Engines restart once ({', '.join(new)}); containers keep running.")
    if confirm(console, "Are you sure?", issue.command(names)):
        return True
    decline(console, "Nothing was changed")
    return False


def note_end(here: Session, engines: Sequence[EngineAccess], issue: ToolIssue) -> None:
    from machinectl import certs
    from machinectl.machines.holders import EXPIRES, find_holder

    holders = {engine.name: find_holder(here.store.read(engine.name), issue.who) for engine in engines}
    can_end = [name for name, holder in holders.items() if holder and holder.state != EXPIRES]
    expiring = [name for name in holders if name not in can_end]
    until = min(certs.describe(engine.certificate).not_after for engine in engines)
    only = f" On {', '.join(expiring)}, it can only expire." if expiring else ""
    here.console.note(
        f"Anyone who reads {issue.directory} is root on {engines_of([*holders])} until {until:%Y-%m-%d %H:%M} UTC. "
        f"Renew it with the same command.{only}",
        Hint("End it", "machinectl access end", issue.who, *can_end) if can_end else NO_HINT,
    )


def engines_of(names: Sequence[str]) -> str:
    return f"the engine{'s' if len(names) > 1 else ''} of {', '.join(names)}"


def print_commands(console: Console, lines: Sequence[str]) -> None:
    """Print commands to stdout and comments to stderr, in turn: zsh takes a pasted # for a command."""
    for line in lines:
        if line.startswith("# "):
            console.note(line.removeprefix("# "))
        else:
            print_lines([line])
