"""The verb `docker`: the docker CLI against many engines."""

from __future__ import annotations

import sys

from machinectl.cli.catalogue import RELAYS, Argument, Verb
from machinectl.machines.flags import MACHINE
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


VERBS = {
    "docker": Verb(
        "docker",
        more=(
            "Each run gets the machine's `env`. All engines get stdin; in a `while read` loop, add </dev/null. "
            "The output of one named machine goes to a pipe or file as it is."
        ),
        examples=("machinectl docker orionbox ps", "machinectl docker -l role=web -- pull nginx"),
        arguments=(Argument("words", "[NAME]… [--] ARGUMENT…", MACHINE, many=True, repeats=True),),
        flags=(*shared.CHOICE, shared.GROUP_OUTPUT, shared.JSON_LINES, shared.RUN_TIMEOUT, shared.RUN_PARALLEL),
        output=RELAYS,
        keeps_selector=True,
    ),
}

# docker's exit status for its own failure.
DOCKER_FAILED = 1


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
    from contextlib import closing

    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.output.machine_streams import OutputPrinter, print_ends, printer_for, stdin_for
    from machinectl.cli.run_verb import split_at_dashes, target_names
    from machinectl.docker_cli.many_engines import run_docker
    from machinectl.features import functions
    from machinectl.hosts.output_streams import LIMIT, stream_output

    names, typed = split_at_dashes(here, words, "docker")
    targets = target_names(here, names, selector, everything=everything)
    for before_docker in functions("before_docker"):
        before_docker(here.console, targets, typed)
    given = stdin_for(targets)
    work = run_docker(here.store, typed, given)
    limit = parallel or LIMIT
    printer = printer_for(targets, group=group, as_json=as_json)
    # `docker save` and `docker cp` of one machine write archives.
    if len(targets) == 1 and set(names) == set(targets) and not (group or as_json or sys.stdout.isatty()):
        printer = OutputPrinter()
    ends = stream_output(here.console, targets, work, printer.said, limit=limit, timeout=timeout, input=given)
    # ^C, a signal or a closed pipe ends all running commands.
    with exiting_on_signals(), closing(ends):
        return print_ends(ends, printer, given, DOCKER_FAILED, here.program)
