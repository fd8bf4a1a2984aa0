"""The verb `compose`: docker compose on machines, with the files of this computer."""

from __future__ import annotations

from machinectl.cli.catalogue import RELAYS, Argument, Verb
from machinectl.machines.flags import DIRECTORY, MACHINE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
    from machinectl.compose.compose_run import ComposeRun
    from machinectl.console import Console
    from machinectl.process_streams import StopEvent, WriteOutput


VERBS = {
    "compose": Verb(
        "compose",
        more=(
            "Before it starts containers, it copies to the host what they take from the project's directory: binds, "
            "configs and secrets, without .git and what .machinectlignore names. `down --files` removes the copies."
        ),
        examples=(
            "machinectl compose orionbox up -d",
            "machinectl compose --watch orionbox up -d",
            "machinectl compose -l role=web -- up -d",
        ),
        arguments=(Argument("words", "[NAME]… [--] ARGUMENT…", MACHINE, many=True, repeats=True),),
        flags=(
            *shared.CHOICE,
            Flag(
                "--allow",
                metavar="DIR",
                help="Copy from this directory, too, although it is outside of the project.",
                value=DIRECTORY,
                many=True,
            ),
            Flag("--watch", help="Then bring each change of the files to the host, until ^C."),
        ),
        output=RELAYS,
        keeps_selector=True,
    ),
}

# docker compose's exit status for most of its own failures.
COMPOSE_FAILED = 1


def compose(
    here: Session, *, words: list[str], selector: str | None, everything: bool, allow: list[str], watch: bool
) -> int:
    from contextlib import closing

    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.output.machine_streams import print_ends, printer_for, stdin_for
    from machinectl.cli.run_verb import split_at_dashes, target_names
    from machinectl.compose.compose_run import ComposeRun
    from machinectl.errors import Hint, UsageError
    from machinectl.hosts.docker_program import stream_docker
    from machinectl.hosts.output_streams import stream_output

    names, typed = split_at_dashes(here, words, "compose")
    targets = target_names(here, names, selector, everything=everything)
    work = ComposeRun(here.store, typed, allow)
    if len(targets) == 1:
        with exiting_on_signals():
            return on_one(here, work, targets[0], watch=watch)
    if watch:
        raise UsageError("--watch takes one machine", Hint("", "machinectl compose --watch", targets[0], "up", "-d"))
    given = stdin_for(targets)

    def run_on(name: str, console: Console, say: WriteOutput, stop: StopEvent) -> int | None:
        with work.ready(name, console) as (command, environment, _):
            status = stream_docker(command, environment, say, stop, given)
        if work.removes_files and status == 0:
            work.remove_copies(name)
        return status

    printer = printer_for(targets, group=False, as_json=False)
    ends = stream_output(here.console, targets, run_on, printer.said, input=given)
    # ^C, a signal or a closed pipe ends all running commands.
    with exiting_on_signals(), closing(ends):
        return print_ends(ends, printer, given, COMPOSE_FAILED, here.program)


def on_one(here: Session, work: ComposeRun, name: str, *, watch: bool) -> int:
    """Give compose the terminal."""
    import threading

    from machinectl.compose.compose_run import keep_in_step
    from machinectl.foreground_program import end_alike, run_foreground
    from machinectl.hosts.docker_program import docker_program

    stop = threading.Event()
    with work.ready(name, here.console) as (command, environment, update):
        watcher = threading.Thread(target=keep_in_step, args=(work.sources, update, here.console, stop), daemon=True)
        if watch:
            watcher.start()
        try:
            status = run_foreground([docker_program(), *command], environment)
            if watch and status == 0 and work.is_detached:
                here.console.note("Watching the files; ^C ends it")
                watcher.join()
        except KeyboardInterrupt:
            return 0
        finally:
            stop.set()
    if work.removes_files and status == 0:
        work.remove_copies(name)
    return end_alike(status)
