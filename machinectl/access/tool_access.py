"""Give a tool access to machines, with a key made here, and write the files that it wants.

It asks before it overwrites a file that somebody has changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from machinectl import certs
from machinectl.access.granting import AccessGrant, checked_holder, client_of_holder, plan_client
from machinectl.access.tool_files import LAYOUTS, EngineAccess
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError, closest_match, one_line
from machinectl.files import fileset
from machinectl.files.atomic import PRIVATE_FILE
from machinectl.files.ownership import OUT, check_directory
from machinectl.hosts.workers import plan_each, work_in_turns
from machinectl.machines.addresses import FLAG, place_of
from machinectl.machines.holders import (
    CA_FILE,
    TOOL,
    UNWRITTEN,
    HolderKey,
    check_holder_name,
    find_holder,
    put_holder,
)
from machinectl.machines.selection import chosen, waiting
from machinectl.provision.target import NOTHING_SPECIAL
from machinectl.quantities import parse_lifetime, rfc3339
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.access.tool_files import ToolFiles
    from machinectl.console import Console
    from machinectl.hosts.host_plan import HostPlan
    from machinectl.hosts.login import Login
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Held, Store
    from machinectl.provision.target import Allowed

# SHA256 of the written files by path, and the holder of the keys.
NOTES, HOLDER = ".machinectl.json", "holder"
HINT = Hint("Choose another directory with --out, or replace them: --force")


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
        # Typed in another directory, the default would be another one.
        out = f"--out {shlex.quote(self.directory)}"
        force = ["--force"] if self.force else []
        addresses = [f"{FLAG} {address}" for address in self.addresses]
        return " ".join([f"machinectl access issue -y {self.tool}", *names, *who, *lifetime, out, *force, *addresses])

    def engine(self, held: Held, console: Console, login: Login, in_use: bool) -> EngineAccess:
        key = certs.new_key()
        allowed = replace(self.allowed, in_use=in_use)
        certificate = client_of_holder(held, console, login, self.grant(key), allowed)
        ca = fileset.read_regular_file(os.path.join(held.directory, CA_FILE))
        return EngineAccess(held.name, self.url_of(held.machine), ca, certificate, key)

    def url_of(self, machine: Machine) -> str:
        places = [place_of(address) for address in self.addresses]
        return next((url for url in machine.urls if place_of(parse_url(url).host) in places), machine.url)

    def lay_out(self, engines: Sequence[EngineAccess]) -> ToolFiles:
        return LAYOUTS[self.tool](engines, self.directory)


@dataclass(frozen=True)
class IssuedAccess:
    """`lines` make the tool use its files; without them, nothing was written.

    `engines` accept the tool, also if no file was written as others failed.
    """

    engines: Sequence[EngineAccess] = ()
    failures: Sequence[tuple[str, MachineError]] = ()
    lines: Sequence[str] = ()


def access_issue(
    store: Store,
    console: Console,
    names: Sequence[str],
    login: Login,
    issue: ToolIssue,
    confirm: Callable[[Sequence[Machine]], bool] = lambda _: True,
) -> IssuedAccess:
    """Ask `confirm` first. If one machine fails, no file is written; the same command finishes the rest."""
    machines = checked_machines(store, console, names, issue)
    wanted = [machine.name for machine in machines]
    fileset.place_left_files(issue.directory)
    check_files(machines, issue)
    if not confirm(machines):
        return IssuedAccess()
    failures, engines = [], []
    with fileset.locked_directory(issue.directory):
        check_files(machines, issue)
        fileset.check_writable(issue.directory)
        for name, result in work_in_turns(store, console, wanted, login, issue.engine):
            if isinstance(result, MachineError):
                failures.append((name, result))
            else:
                engines.append(result)
        engines.sort(key=lambda engine: wanted.index(engine.name))
        if failures:
            return IssuedAccess(engines, failures)
        layout = issue.lay_out(engines)
        try:
            # Before its files are written: a tool may have its keys that are on record, and no others.
            for engine in engines:
                record_key(store, console, engine, issue.who)
            write_issued(issue.directory, issue.who, layout.files)
        except MachineError as exc:
            then = Hint("then finish it", issue.command(wanted))
            exc.hint = exc.hint | then if exc.hint else then
            raise
    return IssuedAccess(engines, lines=layout.lines)


def record_key(store: Store, console: Console, engine: EngineAccess, who: str) -> None:
    """Record that the tool has its key."""
    until = certs.describe(engine.certificate).not_after
    with store.writing(engine.name, waiting(console, engine.name)) as held:
        # Another process may have ended the access meanwhile.
        if holder := find_holder(held.machine, who):
            key = HolderKey(certs.public_key_digest(engine.certificate), rfc3339(until))
            put_holder(held.machine, holder.with_key(key))
            held.write()


def plan_access_issue(
    store: Store, console: Console, names: Sequence[str], login: Login, issue: ToolIssue
) -> tuple[list[tuple[str, HostPlan | MachineError]], list[str]]:
    """Return the plans, and the files that would be written: none if a machine fails."""
    machines = checked_machines(store, console, names, issue)
    # The run itself first moves them into place, and then checks.
    if not fileset.has_unplaced_files(issue.directory):
        check_files(machines, issue)

    def plan(machine: Machine, console: Console, own: Login) -> HostPlan:
        return plan_client(store, machine, console, own, issue.grant(certs.new_key()), issue.allowed)

    plans = list(plan_each(store, console, [machine.name for machine in machines], login, plan))
    if any(isinstance(planned, MachineError) for _, planned in plans):
        return plans, []
    return plans, [os.path.join(issue.directory, path) for path in planned_files(machines, issue)]


def checked_machines(store: Store, console: Console, names: Sequence[str], issue: ToolIssue) -> list[Machine]:
    """Raise MachineError if a machine cannot be shared, or if the directory is not safe."""
    check_tool(issue.tool)
    check_holder_name(issue.who)
    check_directory(issue.directory, OUT, console.warn)
    machines = [store.read(name) for name in dict.fromkeys(chosen(store, names))]
    known = [parse_url(url).host for machine in machines for url in machine.urls]
    if unknown := [address for address in issue.addresses if place_of(address) not in map(place_of, known)]:
        of = ", ".join(machine.name for machine in machines)
        raise UsageError(f"{FLAG} {unknown[0]} is not an address of {of}", Hint(f"Choose one of {', '.join(known)}"))
    for machine in machines:
        checked_holder(machine, issue.grant(certs.new_key()))
    return machines


def check_tool(tool: str) -> None:
    if tool in LAYOUTS:
        return
    near = closest_match(tool, LAYOUTS)
    raise UsageError(
        f"Unknown tool {tool!r} (known: {', '.join(LAYOUTS)})",
        Hint("Take docker's variables", "machinectl access issue env <NAME> --for <TOOL>"),
        mistyped=(tool, near) if near else None,
    )


def planned_files(machines: Sequence[Machine], issue: ToolIssue) -> dict[str, bytes]:
    """Return files with empty certificates."""
    engines = [EngineAccess(machine.name, issue.url_of(machine), b"", b"", b"") for machine in machines]
    return issue.lay_out(engines).files


def check_files(machines: Sequence[Machine], issue: ToolIssue) -> None:
    """Raise MachineError before a host is changed for files that cannot be written.

    Another holder's keys would be lost, and what somebody has changed.
    """
    directory, files = issue.directory, planned_files(machines, issue)
    fileset.check_folders(directory, files)
    if issue.force:
        return
    noted = read_notes(directory)
    holder = noted.get(HOLDER, issue.who)
    if holder.lower() != issue.who.lower():
        raise MachineError(f"{directory} holds the files of {one_line(holder)}, not of {issue.who}", HINT)
    present = [path for path in files if os.path.lexists(os.path.join(directory, path))]
    different = [path for path in present if digest(directory, path) not in {noted.get(path), sha256(files[path])}]
    if edited := [path for path in different if path in noted]:
        raise MachineError(f"In {directory}, somebody changed {', '.join(edited)} after the last run", HINT)
    fileset.check_absent(directory, different, HINT)


def write_issued(directory: str, who: str, files: Mapping[str, bytes]) -> None:
    """Write all files or none, readable by the owner only. Git ignores the folders with keys."""
    folders = {os.path.dirname(path) for path in files} - {""}
    written = {**files, **{f"{folder}/.gitignore": b"*\n" for folder in folders}}
    notes = read_notes(directory) | {path: sha256(data) for path, data in written.items()} | {HOLDER: who}
    written[NOTES] = json.dumps(notes, indent=4).encode()
    fileset.replace_together(directory, written, force=True, hint=NO_HINT, mode=PRIVATE_FILE)


def read_notes(directory: str) -> dict[str, str]:
    try:
        notes = json.loads(fileset.read_regular_file(os.path.join(directory, NOTES)))
    except (MachineError, ValueError, RecursionError):
        return {}
    return {path: note for path, note in notes.items() if isinstance(note, str)} if isinstance(notes, dict) else {}


def digest(directory: str, path: str) -> str:
    try:
        return sha256(fileset.read_regular_file(os.path.join(directory, path)))
    except MachineError:
        return ""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
