"""`access issue`: give a tool access to machines, with a key made here, and write the files that it wants."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.granting import (
    AccessGrant,
    checked_holder,
    client_of_holder,
    joined,
    lifetime_of,
    plan_client,
)
from machinectl.access.issued_files import (
    check_holder,
    check_unchanged,
    write_issued,
)
from machinectl.access.tool_files import BY_HAND, LAYOUTS, EngineAccess
from machinectl.console import confirm, decline
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError, closest_match
from machinectl.files.fileset import (
    check_folders,
    check_writable,
    has_unplaced_files,
    locked_directory,
    place_left_files,
    read_regular_file,
)
from machinectl.files.ownership import OUT, check_directory
from machinectl.hosts.workers import plan_each, work_in_turns
from machinectl.machines.addresses import FLAG, place_of
from machinectl.machines.holders import (
    ADDING,
    CA_FILE,
    EXPIRES,
    MAYBE_WRITTEN,
    TOOL,
    UNWRITTEN,
    HolderKey,
    check_holder_name,
    find_holder,
    is_holder_name,
    put_holder,
)
from machinectl.machines.selection import chosen, waiting
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import lifetime_words, parse_lifetime, rfc3339
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.access.tool_files import ToolFiles
    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed


@dataclass(frozen=True)
class ToolIssue:
    """What to issue. `directory` is absolute, `lifetime` is as typed; "": each machine's default.

    `addresses` are those to use of machines with several.
    """

    tool: str
    who: str
    directory: str
    lifetime: str = ""
    force: bool = False
    allowed: Allowed = NOTHING_SPECIAL
    addresses: Sequence[str] = ()

    def grant(self, key: bytes) -> AccessGrant:
        lifetime = parse_lifetime(self.lifetime) if self.lifetime else None
        return AccessGrant(self.who, TOOL, certs.own_public_key(key), lifetime, state=UNWRITTEN)

    def command(self, names: Sequence[str]) -> str:
        """Return the command line that issues it unasked, without defaults."""
        who = [f"--for {shlex.quote(self.who)}"] if self.who != self.tool else []
        lifetime = [f"--lifetime {self.lifetime}"] if self.lifetime else []
        out = [f"--out {shlex.quote(self.directory)}"] if self.directory != os.path.abspath(self.who) else []
        force = ["--force"] if self.force else []
        addresses = [f"{FLAG} {address}" for address in self.addresses]
        return " ".join([f"machinectl access issue -y {self.tool}", *names, *who, *lifetime, *out, *force, *addresses])

    def engine(self, held: Held, console: Console, login: Login, in_use: bool) -> EngineAccess:
        key = certs.new_key()
        allowed = replace(self.allowed, in_use=in_use)
        certificate = client_of_holder(held, console, login, self.grant(key), allowed)
        ca = read_regular_file(os.path.join(held.directory, CA_FILE))
        return EngineAccess(held.name, self.url_of(held.machine), ca, certificate, key)

    def url_of(self, machine: Machine) -> str:
        places = [place_of(address) for address in self.addresses]
        return next((url for url in machine.urls if place_of(parse_url(url).host) in places), machine.url)

    def lay_out(self, engines: Sequence[EngineAccess]) -> ToolFiles:
        return LAYOUTS[self.tool](engines, self.directory)


@dataclass(frozen=True)
class IssuedAccess:
    """`lines` make the tool use its files; empty if nothing was written.

    `given` are the machines whose engines accept the tool without any file for it, as others failed.
    """

    failures: Sequence[tuple[str, MachineError]] = ()
    lines: Sequence[str] = ()
    given: Sequence[str] = ()


def access_issue(
    store: Store, console: Console, names: Sequence[str], login: Login, issue: ToolIssue, *, unasked: bool
) -> IssuedAccess:
    """Ask first unless `unasked`. If one machine fails, no file is written; the same command finishes the rest."""
    wanted = checked_names(store, console, names, issue)
    place_left_files(issue.directory)
    check_files(store, wanted, issue)
    if not unasked and not confirm_issue(store, console, wanted, issue):
        decline(console, "Nothing was changed")
        return IssuedAccess()
    failures, engines = [], []
    with locked_directory(issue.directory):
        check_files(store, wanted, issue)
        check_writable(issue.directory)
        for name, result in work_in_turns(store, console, wanted, login, issue.engine):
            if isinstance(result, MachineError):
                failures.append((name, result))
            else:
                engines.append(result)
        if failures:
            return IssuedAccess(failures, given=[engine.name for engine in engines])
        engines.sort(key=lambda engine: wanted.index(engine.name))
        found = issue.lay_out(engines)
        try:
            record_keys(store, console, engines, issue.who, MAYBE_WRITTEN)
            write_issued(issue.directory, issue.who, found.files)
        except MachineError as exc:
            exc.hint = joined(exc.hint, Hint("then finish it", issue.command(wanted)))
            raise
        record_keys(store, console, engines, issue.who)
    note_end(store, console, engines, issue)
    return IssuedAccess(lines=found.lines)


def record_keys(store: Store, console: Console, engines: Sequence[EngineAccess], who: str, state: str = "") -> None:
    """Record whether the tool has its keys, by default that it has."""
    for engine in engines:
        until = certs.describe(engine.certificate).not_after
        key = HolderKey(certs.public_key_digest(engine.certificate), rfc3339(until), state=state)
        with store.writing(engine.name, waiting(console, engine.name)) as held:
            # Another process may have ended the access meanwhile.
            if holder := find_holder(held.machine, who):
                put_holder(held.machine, holder.with_key(key))
                held.write()


def plan_access_issue(
    store: Store, console: Console, names: Sequence[str], login: Login, issue: ToolIssue
) -> tuple[list[tuple[str, HostPlan | MachineError]], list[str]]:
    """Return the plans, and the files that would be written: none if a machine fails."""
    wanted = checked_names(store, console, names, issue)
    # The run itself first moves them into place, and then checks.
    if not has_unplaced_files(issue.directory):
        check_files(store, wanted, issue)

    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return plan_client(store, machine, console, own, issue.grant(certs.new_key()), issue.allowed)

    plans = list(plan_each(store, console, wanted, login, plan))
    if any(isinstance(planned, MachineError) for _, planned in plans):
        return plans, []
    return plans, [os.path.join(issue.directory, path) for path in planned_files(store, wanted, issue)]


def checked_names(store: Store, console: Console, names: Sequence[str], issue: ToolIssue) -> list[str]:
    """Return the machines. Raises MachineError if one cannot be shared, or if the directory is not safe."""
    check_tool(store, issue.tool, names)
    check_holder_name(issue.who)
    check_directory(issue.directory, OUT, console.warn)
    wanted = list(dict.fromkeys(chosen(store, names)))
    grant = issue.grant(certs.new_key())
    machines = [store.read(name) for name in wanted]
    check_addresses(machines, issue.addresses)
    for machine in machines:
        checked_holder(machine, grant)
    return wanted


def check_addresses(machines: Sequence[Machine], given: Sequence[str]) -> None:
    known = [parse_url(url).host for machine in machines for url in machine.urls]
    if unknown := [address for address in given if place_of(address) not in map(place_of, known)]:
        names = ", ".join(machine.name for machine in machines)
        raise UsageError(f"{FLAG} {unknown[0]} is not an address of {names}", Hint(f"Choose one of {', '.join(known)}"))


def check_tool(store: Store, tool: str, names: Sequence[str]) -> None:
    if tool in LAYOUTS:
        return
    who = ["--for", tool] if is_holder_name(tool) and not store.exists(tool) else []
    machines = [name for name in names if store.exists(name)] or ["<NAME>"]
    by_variables = Hint("Take docker's variables", "machinectl access issue env", *machines, *who)
    if tool in BY_HAND:
        raise UsageError(
            f"machinectl writes no files for {tool} any more: docs/access-for-tools.md has them", by_variables
        )
    near = closest_match(tool, LAYOUTS)
    raise UsageError(
        f"Unknown tool {tool!r} (known: {', '.join(LAYOUTS)})", by_variables, mistyped=(tool, near) if near else None
    )


def check_files(store: Store, names: Sequence[str], issue: ToolIssue) -> None:
    """Raise MachineError before a host is changed for files that cannot be written."""
    files = planned_files(store, names, issue)
    check_folders(issue.directory, files)
    if not issue.force:
        check_holder(issue.directory, issue.who)
        check_unchanged(issue.directory, files)


def planned_files(store: Store, names: Sequence[str], issue: ToolIssue) -> dict[str, bytes]:
    """Return files with empty certificates."""
    return issue.lay_out([EngineAccess(name, issue.url_of(store.read(name)), b"", b"", b"") for name in names]).files


def confirm_issue(store: Store, console: Console, names: Sequence[str], issue: ToolIssue) -> bool:
    grant = issue.grant(certs.new_key())
    machines = [store.read(name) for name in names]
    lifetimes = dict.fromkeys(lifetime_words(lifetime_of(machine, grant)) for machine in machines)
    console.note(
        f"About to make {issue.who} root on {engines_of(names)}, for {' or '.join(lifetimes)}; "
        f"its files go to {issue.directory}."
    )
    holders = {machine.name: checked_holder(machine, grant) for machine in machines}
    if new := [name for name, holder in holders.items() if holder.state == ADDING]:
        restarts = "The engine restarts" if len(new) == 1 else "The engines restart"
        console.note(f"{restarts} once ({', '.join(new)}); containers keep running.")
    if expiring := [name for name, holder in holders.items() if holder.state == EXPIRES]:
        hosts = "the host" if len(expiring) == 1 else "the hosts"
        console.note(f"This access can only expire: machinectl cannot change {hosts} of {', '.join(expiring)}.")
    return confirm(console, "Are you sure?", issue.command(names))


def note_end(store: Store, console: Console, engines: Sequence[EngineAccess], issue: ToolIssue) -> None:
    names = [engine.name for engine in engines]
    can_end = [name for name in names if is_endable(store.read(name), issue.who)]
    expiring = [name for name in names if name not in can_end]
    only = f" On {', '.join(expiring)}, it can only expire." if expiring else ""
    console.note(
        f"Anyone who reads {issue.directory} is root on {ends_of(engines)}. Renew it with the same command.{only}",
        Hint("End it", "machinectl access end", issue.who, *can_end) if can_end else NO_HINT,
    )


def ends_of(engines: Sequence[EngineAccess]) -> str:
    """Return the engines and until when their certificates are valid."""
    until = [f"until {certs.describe(engine.certificate).not_after:%Y-%m-%d %H:%M} UTC" for engine in engines]
    if len(set(until)) == 1:
        return f"{engines_of([engine.name for engine in engines])} {until[0]}"
    return engines_of([f"{engine.name} ({end})" for engine, end in zip(engines, until, strict=True)])


def engines_of(names: Sequence[str]) -> str:
    return f"the engine{'s' if len(names) > 1 else ''} of {', '.join(names)}"


def is_endable(machine: Machine, who: str) -> bool:
    holder = find_holder(machine, who)
    return holder is not None and holder.state != EXPIRES
