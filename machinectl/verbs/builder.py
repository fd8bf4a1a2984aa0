"""The verb `builder`, and `builder …`."""

from __future__ import annotations

import os

from machinectl.cli.catalogue import PRINTS, Argument, Verb
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import LEAVE_ONE_OUT, Hint, MachineError, UsageError
from machinectl.machines.flags import TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session


BUILDER_FLAGS = (
    *shared.CHOICE,
    Flag("--name", metavar="BUILDER", help="The builder's name.", default="machinectl", parameter="builder_name"),
    Flag("--append", help="Add the machines to the builder."),
    Flag("--use", help="Make it docker's current builder."),
    Flag("--bootstrap", help="Start BuildKit on the machines now, not at the first build."),
    Flag(
        "--driver-opt",
        metavar="KEY=VALUE",
        help="An option for buildx's driver: image, network, memory, env.KEY, …",
        parameter="driver_options",
        many=True,
    ),
    shared.TIMEOUT,
)

VERBS = {
    "builder": Verb(
        "builder",
        more=(
            "Each machine is a node, for its own platform. A node is the machine's docker context, which keeps up with "
            "new addresses and certificates."
        ),
        examples=(
            "machinectl builder orionbox rigel",
            "machinectl builder --name arm --use -l arch=arm64",
            "machinectl builder --append vega",
        ),
        arguments=(shared.NAMES,),
        flags=BUILDER_FLAGS,
        keeps_selector=True,
    ),
    "builder create": Verb(
        "builder",
        examples=("machinectl builder create orionbox rigel",),
        arguments=(shared.NAMES,),
        flags=BUILDER_FLAGS,
        keeps_selector=True,
        hidden=True,
    ),
    "builder ls": Verb(
        "builder_ls",
        examples=("machinectl builder ls",),
        flags=(Flag("-q", "--quiet", help="Print names only."), shared.JSON),
        output=PRINTS,
    ),
    "builder rm": Verb(
        "builder_rm",
        more="It does not touch builders that machinectl did not make.",
        examples=("machinectl builder rm machinectl",),
        arguments=(Argument("builders", "BUILDER…", TEXT, many=True, repeats=True, required=True),),
        flags=(Flag("--keep-state", help="Keep BuildKit's cache."),),
    ),
}


def builder(
    here: Session,
    *,
    names: list[str],
    selector: str | None,
    everything: bool,
    builder_name: str,
    append: bool,
    use: bool,
    bootstrap: bool,
    driver_options: list[str],
    timeout: float,
) -> None:
    from machinectl.cli.run_verb import target_names
    from machinectl.docker_cli.builders import BuilderOrder, create_builder
    from machinectl.docker_cli.followers import SWITCH, is_switched_off

    if is_switched_off():
        raise MachineError(
            f"A builder needs docker contexts, which are switched off: {SWITCH}={os.environ[SWITCH]}",
            Hint("Turn them on", "unset", SWITCH),
        )
    targets = target_names(here, names, selector, everything=everything)
    order = BuilderOrder(
        builder_name,
        append=append,
        use=use,
        bootstrap=bootstrap,
        options=driver_options,
    )
    nodes = create_builder(here.store, here.console, targets, order, timeout)
    write_out(f"{builder_name.lower()}\n")
    flag = "" if use else f" --builder {builder_name.lower()}"
    text = ", ".join(f"{node.endpoint} ({', '.join(node.platforms)})" for node in nodes if node.platforms)
    if spare := [node.endpoint for node in nodes if not node.platforms]:
        text += f"; buildx builds a platform on its first machine, so not on {', '.join(spare)}"
    platforms = ",".join(platform for node in nodes for platform in node.platforms)
    here.console.note(f"Nodes: {text}", Hint("Build an image", f"docker buildx build{flag} --platform {platforms} ."))


def builder_ls(here: Session, *, quiet: bool, as_json: bool) -> None:
    from machinectl.cli.tables.text_table import print_rows
    from machinectl.docker_cli.builders import store_builders
    from machinectl.docker_cli.buildx import Buildx

    if quiet and as_json:
        raise UsageError("--json and --quiet exclude each other", LEAVE_ONE_OUT)
    builders = store_builders(here.store, Buildx(os.environ))
    if quiet:
        write_out("".join(f"{each.name}\n" for each in builders))
        return
    print_rows(["NAME", "MACHINES", "PLATFORMS", "STATE"], builders, as_json=as_json)
    for each in builders:
        if each.hint and not as_json:
            here.console.note(f'The builder "{each.name}" cannot use all its nodes', each.hint)


def builder_rm(here: Session, *, builders: list[str], keep_state: bool) -> int:
    from machinectl.docker_cli.builders import remove_builder

    failed = False
    for name in dict.fromkeys(builders):
        try:
            remove_builder(here.store, here.console, name, keep_state=keep_state)
        except MachineError as exc:
            report(exc, here.program)
            failed = True
        else:
            write_out(f"{name}\n")
    return int(failed)
