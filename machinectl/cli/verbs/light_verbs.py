"""What the light verbs do and print: the same bytes by the front door and by Typer, as both come here.

Each takes the store, the flags given (with their values), the names given, and how this program was called.
"""

from __future__ import annotations

import os
import sys

from machinectl.cli.invocation import THIS
from machinectl.cli.output.stdout import print_json, write_file, write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from machinectl.engine import Probe
    from machinectl.hosts.certificates.expiry import CertificateRow
    from machinectl.machines.store import Store

    Flags = Mapping[str, str]

# How long a host may take to answer where nothing else is said. Seconds, docker-machine's.
USUAL_TIMEOUT = 10


def env(store: Store, flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.commands.env import env as command
    from machinectl.commands.env import env_file

    unset, no_proxy, swarm = (name in flags for name in ("unset", "no_proxy", "swarm"))
    if form := flags.get("format", ""):
        text = env_file(store, names, form, unset=unset, no_proxy=no_proxy, environment=os.environ, swarm=swarm)
        write_file(text)
        return
    text = command(
        store,
        names,
        shell=flags.get("shell"),
        unset=unset,
        no_proxy=no_proxy,
        typed=sys.argv,
        environment=os.environ,
        swarm=swarm,
    )
    write_out(text)


def active(store: Store, _flags: Flags, _names: Sequence[str], _program: str) -> None:
    from machinectl.commands.active import active as command

    write_out(command(store, os.environ) + "\n")


def url(store: Store, _flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.commands.url import url as command

    write_out(command(store, names) + "\n")


def ip(store: Store, _flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.commands.url import ip as command

    write_out("".join(f"{address}\n" for address in command(store, names)))


def run(store: Store, flags: Flags, words: Sequence[str], program: str) -> int:
    from machinectl.cli.output.terminal import Terminal
    from machinectl.cli.verbs.remote.fan_out import run as everywhere
    from machinectl.hosts.connection.login import Access

    return everywhere(store, Terminal(program), words, Access(), flags, program)


def docker(store: Store, flags: Flags, words: Sequence[str], program: str) -> int:
    from machinectl.cli.output.terminal import Terminal
    from machinectl.cli.verbs.remote.fan_out import docker as everywhere

    return everywhere(store, Terminal(program), words, flags, program)


def ls(store: Store, flags: Flags, _names: Sequence[str], program: str) -> None:
    names = store.names()
    if "selector" in flags:
        from machinectl.cli.output.terminal import Terminal
        from machinectl.machines.selection import selected

        names = selected(store, Terminal(program), [], flags["selector"])
    print_names(names)


def print_names(names: Iterable[str]) -> None:
    write_out("".join(f"{name}\n" for name in names))


def status(store: Store, _flags: Flags, names: Sequence[str], program: str) -> None:
    from machinectl.commands.status import status as command

    _, found = command(store, names, USUAL_TIMEOUT)
    tell_status(found, program)


def tell_status(found: Probe, program: str) -> None:
    """Print the state of a machine; what keeps its engine from answering goes to stderr."""
    from machinectl.cli.output.exit_status import report
    from machinectl.errors import MachineError

    write_out(f"{found.state}\n")
    if found.error:
        report(MachineError(found.error, found.hint), program)


def inspect(store: Store, _flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.machines.docker_machine.config_json import config_json
    from machinectl.machines.selection import chosen_one

    machine = store.read(chosen_one(store, names))
    print_json(config_json(machine, machine.directory))


def certs_ls(store: Store, _flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.commands.certs.ls import certs_ls as command

    print_certs(command(store, names))


def print_certs(rows: Iterable[CertificateRow]) -> None:
    """Print certificates as people read them."""
    from machinectl.go.tabwriter import table

    headings = ["MACHINE", "FILE", "SUBJECT", "NAMES", "ISSUER", "EXPIRES", "DAYS", "WARNING"]
    write_out(table(headings, (row.cells() for row in rows)))


def shell_init(store: Store, flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.cli.parsing.shell_snippets import shell_init as snippet
    from machinectl.machines.store import Store as UsualStore
    from machinectl.shell import program

    words = program(THIS.script, os.environ.get("PATH", ""))
    root = store.root if store.root != UsualStore().root else ""
    write_out(snippet("".join(names), words, prompt="prompt" in flags, root=root))


def completion(_store: Store, _flags: Flags, names: Sequence[str], _program: str) -> None:
    from machinectl.cli.parsing.shell_snippets import completion as text

    write_out(text("".join(names)))
