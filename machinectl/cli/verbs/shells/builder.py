"""The verb `builder`, and `builder …`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.cli.options.chosen_names import target_names
from machinectl.cli.options.store_followers import SWITCH, is_switched_off
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.cli.tables.text_table import print_rows
from machinectl.docker_cli.buildx import Buildx, parse_options
from machinectl.errors import MachineError, UsageError, wrong_choice
from machinectl.hosts.exports.builders import NodeStep, builder_statuses, sync_builders

if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.exports.builder_records import Builder

REMOTE = "remote"
DRIVERS = ("docker-container", REMOTE)
# The port of buildkitd's documentation.
PORT = 1234


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
    driver: str,
    port: int | None,
    driver_options: list[str],
    timeout: float,
) -> None:
    from machinectl.commands.builder.create import BuilderOrder, create_builder

    if driver not in DRIVERS:
        raise wrong_choice("--driver", driver, DRIVERS)
    if names and not here.store.exists(names[0]):
        from machinectl.cli.parsing.suggestions import check_verb_within

        check_verb_within("builder", names, here.store)
    remote = driver == REMOTE
    if port and not remote:
        raise UsageError("--port is for buildkitd on the hosts", f"Add: --driver {REMOTE}")
    if is_switched_off() and not remote:
        raise MachineError(
            f"A builder needs docker contexts, which are switched off: {SWITCH}={os.environ[SWITCH]}", f"unset {SWITCH}"
        )
    targets = target_names(here, names, selector, everything=everything)
    order = BuilderOrder(
        builder_name,
        append=append,
        use=use,
        bootstrap=bootstrap,
        port=(port or PORT) if remote else 0,
        options=parse_options(driver_options),
    )
    made = create_builder(here.store, here.console, targets, order, timeout)
    write_out(f"{made.name}\n")
    here.console.note(explained(made, use=use))


def explained(made: Builder, *, use: bool) -> str:
    builds = made.builds
    text = ", ".join(f"{node.machine} ({node.platform})" for node in made.nodes)
    spare = [machine for machine in made.machines if machine not in builds.values()]
    if spare:
        text += f"; buildx builds a platform on its first machine, so not on {', '.join(spare)}"
    name = "" if use else f" --builder {made.name}"
    return f"Nodes: {text}\nBuild an image: docker buildx build{name} --platform {','.join(builds)} ."


def builder_ls(here: Session, *, quiet: bool, as_json: bool) -> None:
    from machinectl.commands.builder.ls import builder_ls as command

    if quiet and as_json:
        raise UsageError("--json and --quiet exclude each other", "Leave one of them out")
    rows = command(here.store)
    if quiet:
        write_out("".join(f"{row.status.builder.name}\n" for row in rows))
        return
    print_rows(["NAME", "DRIVER", "MACHINES", "PLATFORMS", "STATE"], rows, as_json=as_json)
    if not as_json:
        for hint in dict.fromkeys(hint for row in rows for hint in row.status.hints):
            here.console.note(hint)


def builder_rm(here: Session, *, builders: list[str], keep_state: bool) -> int:
    from machinectl.commands.builder.rm import builder_rm as command

    failed = False
    for name in dict.fromkeys(builders):
        try:
            command(here.store, here.console, name, keep_state=keep_state)
        except MachineError as exc:
            report(exc, here.program)
            failed = True
        else:
            write_out(f"{name}\n")
    return int(failed)


def builder_sync(here: Session) -> None:
    done = False
    for made, node in sync_builders(here.store):
        what = "set" if node.step is NodeStep.SET else "removed"
        write_out(f"{made.name}: {node.node.machine} {what} ({node.why})\n")
        done = True
    unrepaired = [each for each in builder_statuses(here.store, Buildx(os.environ)) if each.reasons]
    for each in unrepaired:
        here.console.warn("\n".join([f"{each.builder.name}: {'; '.join(each.reasons)}", *each.hints]))
    if not (done or unrepaired):
        here.console.note("All builders are in step")
