"""The verbs `run` and `docker`."""

from __future__ import annotations

import sys

from machinectl.cli.declared_verb import RELAYS, Argument, Verb
from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.sanitise import harmless
from machinectl.cli.own_flags import LOGIN
from machinectl.cli.parsing.command_start import CHOOSING, COMMANDS, DASHES
from machinectl.errors import Hint, UsageError
from machinectl.machines.flags import MACHINE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.options.verb_session import Session
    from machinectl.cli.output.machine_streams import OutputPrinter
    from machinectl.errors import MachineError
    from machinectl.hosts.login import Login
    from machinectl.hosts.output_streams import CommandEnded, Events
    from machinectl.process_streams import Input


RUN_SUDO = Flag("--sudo", help="Run as root, with sudo if needed.")
RUN_NO_PERSIST = Flag("--no-persist", help="Do not keep SSH connections for the next run.")
GROUP_OUTPUT = Flag("--group", help="Print each machine's output together, when it ends.")
RUN_TIMEOUT = Flag(
    "-t",
    "--timeout",
    metavar="SECONDS",
    help="End commands that take longer, with status 124.",
    kind=float,
    limits=(0.001, 86400),
    default=None,
)
RUN_PARALLEL = Flag(
    "--parallel",
    metavar="N",
    help="How many machines to work on at once (default 50, at most 1000).",
    kind=int,
    limits=(1, 1000),
    default=None,
)

VERBS = {
    "run": Verb(
        "run",
        more=(
            "What follows the names of machines is the command. "
            "A single word is a line for sh; several words are the command and its arguments. "
            "All hosts get stdin; in a `while read` loop, add </dev/null."
        ),
        examples=(
            "machinectl run orionbox rigel uname -a",
            "machinectl run -l role=web -- 'df -h / | tail -1'",
            "machinectl run --all --sudo --group -- apt-get update",
        ),
        arguments=(Argument("words", "[NAME]… [--] COMMAND…", MACHINE, many=True, repeats=True),),
        flags=(
            *shared.CHOICE,
            GROUP_OUTPUT,
            shared.JSON_LINES,
            RUN_TIMEOUT,
            RUN_SUDO,
            RUN_PARALLEL,
            RUN_NO_PERSIST,
            *LOGIN,
        ),
        output=RELAYS,
        keeps_selector=True,
    ),
    "docker": Verb(
        "docker",
        more=(
            "Each run gets the machine's `env`. All engines get stdin; in a `while read` loop, add </dev/null. "
            "The output of one named machine goes to a pipe or file as it is."
        ),
        examples=("machinectl docker orionbox ps", "machinectl docker -l role=web -- pull nginx"),
        arguments=(Argument("words", "[NAME]… [--] ARGUMENT…", MACHINE, many=True, repeats=True),),
        flags=(*shared.CHOICE, GROUP_OUTPUT, shared.JSON_LINES, RUN_TIMEOUT, RUN_PARALLEL),
        output=RELAYS,
        keeps_selector=True,
    ),
}


# OpenSSH's exit status if a host is unreachable; docker's for its own failure.
SSH_FAILED, DOCKER_FAILED = 255, 1


def run(
    here: Session,
    *,
    words: list[str],
    login: Login,
    selector: str | None,
    everything: bool,
    group: bool,
    as_json: bool,
    timeout: float | None,
    sudo: bool,
    parallel: int | None,
    no_persist: bool,
) -> int:
    from machinectl.cli.options.chosen_names import target_names
    from machinectl.commands.run import remote_command_line
    from machinectl.commands.run import run as command
    from machinectl.hosts.output_streams import LIMIT
    from machinectl.hosts.remote_script import RemoteScript
    from machinectl.ssh.openssh.multiplexing import Multiplexing

    names, typed = split_at_dashes(here, words, "run")
    connections = Multiplexing(enabled=not no_persist)
    line = remote_command_line(typed)
    targets = target_names(here, names, selector, everything=everything)
    if everything:
        targets = those_with_ssh(here, targets)
    given = stdin_for(targets)
    order = RemoteScript(line, sudo=sudo, native=here.native_ssh, connections=connections, input=given)
    limit = parallel or LIMIT
    events = command(here.store, here.console, targets, order, login, timeout=timeout, parallel=limit)
    printer = printer_for(targets, group=group, as_json=as_json)
    return print_events(here, events, printer, given, SSH_FAILED)


def docker(
    here: Session,
    *,
    words: list[str],
    selector: str | None,
    everything: bool,
    group: bool,
    as_json: bool,
    timeout: float | None,
    parallel: int | None,
) -> int:
    from machinectl.cli.options.chosen_names import target_names
    from machinectl.cli.output.machine_streams import AsIs
    from machinectl.commands.docker import docker as command
    from machinectl.hosts.output_streams import LIMIT

    names, typed = split_at_dashes(here, words, "docker")
    targets = target_names(here, names, selector, everything=everything)
    given = stdin_for(targets)
    limit = parallel or LIMIT
    events = command(here.store, here.console, targets, typed, input=given, timeout=timeout, parallel=limit)
    printer = printer_for(targets, group=group, as_json=as_json)
    # `docker save` and `docker cp` of one machine write archives.
    if len(targets) == 1 and set(names) == set(targets) and not (group or as_json or sys.stdout.isatty()):
        printer = AsIs()
    return print_events(here, events, printer, given, DOCKER_FAILED)


def split_at_dashes(here: Session, words: Sequence[str], verb: str) -> tuple[Sequence[str], list[str]]:
    """Return names and command; `words` lack the dashes. Raises UsageError without them."""
    from machinectl.cli.typed_words import typed_line

    if DASHES not in here.arguments:
        from machinectl.cli.parsing.suggestions import PLACEHOLDER, with_names_hint

        is_chosen = words or any(word.partition("=")[0] in CHOOSING for word in here.arguments)
        line = " ".join([NAME, typed_line(THIS.typed), *([] if is_chosen else [PLACEHOLDER]), COMMANDS[verb]])
        raise UsageError("The command is missing", with_names_hint(Hint("", line), here.store))
    command = here.arguments[here.arguments.index(DASHES) + 1 :]
    return words[: len(words) - len(command)], command


def those_with_ssh(here: Session, names: list[str]) -> list[str]:
    """Skip the others with a note; if nothing is left, skip none: each says what it lacks."""
    from machinectl.commands.run import without_ssh

    skipped = without_ssh(here.store, names)
    if not skipped or len(skipped) == len(names):
        return names
    here.console.note(f"Skipping {', '.join(skipped)}: no SSH address")
    return [name for name in names if name not in skipped]


def stdin_for(names: Sequence[str]) -> Input | None:
    """Return stdin for the machines' commands, None if it is a terminal."""
    from machinectl.process_streams import Input

    return None if sys.stdin.isatty() else Input(sys.stdin.fileno(), shared=len(names) > 1)


def printer_for(names: Sequence[str], *, group: bool, as_json: bool) -> OutputPrinter:
    from machinectl.cli.output.machine_streams import AsJSON, Grouped, Lines

    if as_json:
        return AsJSON(names)
    return Grouped(names) if group else Lines(names)


def print_events(here: Session, events: Events, printer: OutputPrinter, given: Input | None, failing: int) -> int:
    """Print output and failures; return the highest status, `failing` for an error."""
    from contextlib import closing

    from machinectl.cli.options.ending_signals import exiting_on_signals
    from machinectl.cli.output.machine_streams import AsJSON
    from machinectl.hosts.output_streams import OutputPiece

    ended = []
    # ^C, a signal or a closed pipe ends all running commands.
    with exiting_on_signals(), closing(events):
        for event in events:
            if isinstance(event, OutputPiece):
                printer.said(event)
            else:
                printer.ended(event)
                ended.append(event)
    of_all = given.failure if given else None
    report_failed(here, ended, with_errors=not isinstance(printer, AsJSON), of_all=of_all)
    return max((failing if each.status is None else each.status for each in ended), default=0)


def report_failed(
    here: Session, ended: Sequence[CommandEnded], *, with_errors: bool, of_all: MachineError | None
) -> None:
    """Report errors, and in one line how each machine failed.

    `of_all` is the common cause, if all were stopped.
    """
    from machinectl.machines.record import natural

    failed = sorted((each for each in ended if each.status != 0), key=lambda each: natural(each.name))
    if not failed:
        return
    errors = [each.error for each in failed if each.error]
    for each in failed:
        if each.error and with_errors and errors.count(each.error) == 1:
            report(each.error.named(each.name), here.program)
    # Report a shared error, such as unreadable input, once.
    shared = [error for error in errors if errors.count(error) > 1]
    if of_all and of_all not in errors:
        shared.append(of_all)
    for error in dict.fromkeys(shared):
        report(error, here.program)
    outcomes = ", ".join(f"{each.name} ({failure_text(each)})" for each in failed)
    print(harmless(f"{len(failed)} of {len(ended)} failed: {outcomes}"), file=sys.stderr, flush=True)


def failure_text(ended: CommandEnded) -> str:
    from machinectl.ssh.runner import status_text

    if ended.is_late:
        return "timed out"
    return "error" if ended.status is None else status_text(ended.status)
