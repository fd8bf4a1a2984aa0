"""The verbs `run`, a command on many hosts, and `ssh`."""

from __future__ import annotations

from contextlib import suppress

from machinectl.cli.catalogue import LOGIN, RELAYS, Argument, Verb
from machinectl.machines.flags import MACHINE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.hosts.login import Login
    from machinectl.process_streams import StopEvent, WriteOutput


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
            shared.GROUP_OUTPUT,
            shared.JSON_LINES,
            shared.RUN_TIMEOUT,
            Flag("--sudo", help="Run as root, with sudo if needed."),
            shared.RUN_PARALLEL,
            Flag("--no-persist", help="Do not keep SSH connections for the next run."),
            *LOGIN,
        ),
        output=RELAYS,
        keeps_selector=True,
    ),
    "ssh": Verb(
        "ssh",
        more="The words after the name go to ssh: its options, and a command.",
        examples=("machinectl ssh orionbox", "machinectl ssh orionbox uname -a", "machinectl ssh root@orionbox"),
        arguments=(Argument("words", "[[USER@]NAME] [ARGUMENT]…", MACHINE, TEXT, many=True),),
        flags=(*LOGIN,),
        output=RELAYS,
        passes_on=True,
        # ssh(1), EXIT STATUS: for a failure that is not the remote command's.
        failure_status=255,
    ),
}

# OpenSSH's exit status if a host is unreachable.
SSH_FAILED = 255


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
    from contextlib import closing

    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.output.machine_streams import print_ends, printer_for, stdin_for
    from machinectl.cli.run_verb import split_at_dashes, target_names
    from machinectl.hosts.output_streams import LIMIT, stream_output
    from machinectl.hosts.remote_script import RemoteScript, run_remote_script
    from machinectl.ssh.openssh.multiplexing import Multiplexing

    names, typed = split_at_dashes(here, words, "run")
    connections = Multiplexing(enabled=not no_persist)
    line = command_line(typed)
    targets = target_names(here, names, selector, everything=everything)
    if everything:
        targets = those_with_ssh(here, targets)
    given = stdin_for(targets)
    order = RemoteScript(line, sudo=sudo, native=here.native_ssh, connections=connections, input=given)

    def run_on(name: str, console: Console, say: WriteOutput, over: StopEvent) -> int | None:
        return run_remote_script(here.store, console, name, login.for_one_host(), order, say, over)

    limit = parallel or LIMIT
    printer = printer_for(targets, group=group, as_json=as_json)
    ends = stream_output(here.console, targets, run_on, printer.said, limit=limit, timeout=timeout, input=given)
    # ^C, a signal or a closed pipe ends all running commands.
    with exiting_on_signals(), closing(ends):
        return print_ends(ends, printer, given, SSH_FAILED, here.program)


def command_line(words: Sequence[str]) -> str:
    """Treat one word as a line of sh; quote several. Raises UsageError for none."""
    if not words or not words[0].strip():
        from machinectl.errors import Hint, UsageError

        raise UsageError("The command is missing", Hint("Put it after two dashes", "machinectl run <NAME> -- uptime"))
    import shlex

    return words[0] if len(words) == 1 else shlex.join(words)


def those_with_ssh(here: Session, names: list[str]) -> list[str]:
    """Skip machines whose driver gives no SSH address, with a note; if nothing is left, skip none."""
    from machinectl.errors import MachineError
    from machinectl.machines.machine_driver import endpoints_of

    skipped = []
    for name in names:
        # Other errors come when the command runs.
        with suppress(MachineError):
            if endpoints_of(here.store.read(name)).ssh is None:
                skipped.append(name)
    if not skipped or len(skipped) == len(names):
        return names
    here.console.note(f"Skipping {', '.join(skipped)}: no SSH address")
    return [name for name in names if name not in skipped]


def ssh(here: Session, *, words: list[str], login: Login) -> int:
    from machinectl.hosts import openssh_programs

    return openssh_programs.ssh(here.store, here.console, words, login, native=here.native_ssh)
