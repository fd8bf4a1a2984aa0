"""Run `run` and `docker`, with or without Typer."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from machinectl.cli.options.ending_signals import exiting_on_signals
from machinectl.cli.options.store_followers import is_switched_off
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.line_format import user_text
from machinectl.cli.output.machine_streams import AsJSON, Folded, Grouped, Lines
from machinectl.cli.parsing.go_flags import flags_of
from machinectl.cli.tables.results import with_machine_name
from machinectl.errors import MachineError, UsageError
from machinectl.hosts.parallel.output_streams import LIMIT, OutputPiece
from machinectl.machines.record import natural
from machinectl.machines.selection import chosen, selected
from machinectl.ssh.signals import status_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.cli.output.machine_streams import OutputPrinter
    from machinectl.console import Console
    from machinectl.hosts.connection.login import Access
    from machinectl.hosts.parallel.output_streams import CommandEnded, Events
    from machinectl.machines.store import Store
    from machinectl.process_streams import Input

# OpenSSH's exit status if a host is unreachable; docker's for its own failure.
SSH_FAILED, DOCKER_FAILED = 255, 1
DASHES = "--"
# If off, SSH connections do not stay open for the next `run`.
PERSIST = "MACHINECTL_PERSIST"


def run_on_machines(
    store: Store,
    console: Console,
    words: Sequence[str],
    access: Access,
    flags: Mapping[str, str],
    program: str,
    *,
    native: bool = False,
) -> int:
    """Run a command on machines. `words` are names, two dashes and the command; `flags` maps names to values."""
    from machinectl.commands.run import remote_command_line
    from machinectl.commands.run import run as command
    from machinectl.hosts.connection.remote_command import RemoteScript
    from machinectl.ssh.openssh.multiplexing import Multiplexing

    names, typed = split_at_dashes(store, words, flags, "run", "uptime")
    connections = Multiplexing(enabled="no_persist" not in flags and not is_switched_off(PERSIST))
    order = RemoteScript(remote_command_line(typed), sudo="sudo" in flags, native=native, connections=connections)

    def begin(targets: Sequence[str], given: Input | None) -> Events:
        return command(
            store,
            console,
            targets,
            replace(order, input=given),
            access,
            timeout=timeout_of(flags),
            parallel=parallel_of(flags),
        )

    return print_events(store, console, names, flags, begin, program, SSH_FAILED)


def docker_on_machines(
    store: Store, console: Console, words: Sequence[str], flags: Mapping[str, str], program: str
) -> int:
    from machinectl.commands.docker import docker as command

    names, order = split_at_dashes(store, words, flags, "docker", "ps")

    def begin(targets: Sequence[str], given: Input | None) -> Events:
        return command(
            store, console, targets, order, input=given, timeout=timeout_of(flags), parallel=parallel_of(flags)
        )

    return print_events(store, console, names, flags, begin, program, DOCKER_FAILED)


def split_at_dashes(
    store: Store, words: Sequence[str], flags: Mapping[str, str], verb: str, example: str
) -> tuple[list[str], list[str]]:
    """Return names and command. Raises UsageError without dashes: guessing is unsafe."""
    if DASHES not in words:
        raise UsageError(*without_dashes(store, words, flags, verb, example))
    at = list(words).index(DASHES)
    return list(words[:at]), list(words[at + 1 :])


def without_dashes(
    store: Store, words: Sequence[str], flags: Mapping[str, str], verb: str, example: str
) -> tuple[str, str]:
    """Return cause and hint, with dashes before the first word that is not a machine."""
    names = list(takewhile(store.exists, words))
    valued = flags_of(verb)
    order = list(words[len(names) :]) or [example]
    if names and "all" in flags:
        # Names exclude --all, so this -a belongs to the command.
        flags = {name: value for name, value in flags.items() if name != "all"}
        order.append("-a")
    typed_flags = {name.replace("_", "-"): value for name, value in flags.items()}
    options = [f"--{name}={value}" if valued[name][1] else f"--{name}" for name, value in typed_flags.items()]
    known = names or "all" in flags or "selector" in flags
    typed = shlex.join([*options, *names, DASHES, *order]) if known else f"<NAME> {DASHES} {example}"
    return f"machinectl {verb} needs a command after two dashes", f"machinectl {verb} {typed}"


def timeout_of(flags: Mapping[str, str]) -> float | None:
    return float(flags["timeout"]) if "timeout" in flags else None


def parallel_of(flags: Mapping[str, str]) -> int:
    return int(flags.get("parallel", LIMIT))


def print_events(
    store: Store,
    console: Console,
    names: Sequence[str],
    flags: Mapping[str, str],
    begin: Callable[[Sequence[str], Input | None], Events],
    program: str,
    failing: int,
) -> int:
    """Print output and failures; return the highest status, `failing` for an error."""
    from machinectl.process_streams import Input

    targets = sorted(set(target_names(store, console, names, flags)), key=lambda name: (natural(name), name))
    given = None if sys.stdin.isatty() else Input(sys.stdin.fileno(), shared=len(targets) > 1)
    printer = printer_for(targets, flags)
    ended = []
    # ^C, a signal or a closed pipe ends all running commands.
    with exiting_on_signals(), closing(given) if given else nullcontext(), closing(begin(targets, given)) as events:
        for event in events:
            if event is None:
                printer.waits()
            elif isinstance(event, OutputPiece):
                printer.said(event)
            else:
                printer.ended(event)
                ended.append(event)
    printer.finish()
    tell_failures(ended, program, with_errors="json" not in flags, of_all=given.failure if given else None)
    return max((failing if each.status is None else each.status for each in ended), default=0)


def target_names(store: Store, console: Console, names: Sequence[str], flags: Mapping[str, str]) -> Sequence[str]:
    if "all" not in flags:
        selector = flags.get("selector")
        if selector is not None:
            return selected(store, console, names, selector)
        try:
            return chosen(store, names)
        except MachineError as exc:
            exc.hint += ", or take --all, or those that -l role=web selects"
            raise
    if names or "selector" in flags:
        raise UsageError("--all, and names or --selector, exclude each other", "Leave one of them out")
    if not (found := store.names()):
        raise MachineError("There is no machine yet", "Make one: machinectl create --help")
    return found


def printer_for(names: Sequence[str], flags: Mapping[str, str]) -> OutputPrinter:
    if "json" in flags:
        return AsJSON(names)
    if sys.stdout.isatty() and sys.stderr.isatty():
        return Folded(names, together="group" in flags)
    return Grouped(names) if "group" in flags else Lines(names)


def tell_failures(
    ended: Sequence[CommandEnded], program: str, *, with_errors: bool, of_all: MachineError | None = None
) -> None:
    """Report errors, and in one line how each machine failed.

    `of_all` is the common cause, if all were stopped.
    """
    failed = [each for each in ended if each.status != 0]
    if not failed:
        return
    errors = [each.error for each in failed if each.error]
    for each in failed:
        if each.error and with_errors and errors.count(each.error) == 1:
            report(with_machine_name(each.error, each.name), program)
    # Report a shared error, such as unreadable input, once.
    shared = [error for error in errors if errors.count(error) > 1]
    if of_all and of_all not in errors:
        shared.append(of_all)
    for error in dict.fromkeys(shared):
        report(error, program)
    outcomes = ", ".join(
        f"{each.name} ({failure_text(each)})" for each in sorted(failed, key=lambda each: natural(each.name))
    )
    print(user_text(f"{len(failed)} of {len(ended)} failed: {outcomes}", program), file=sys.stderr, flush=True)


def failure_text(ended: CommandEnded) -> str:
    if ended.is_late:
        return "timed out"
    return "error" if ended.status is None else status_text(ended.status)
