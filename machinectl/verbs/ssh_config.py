"""The verb `ssh-config`."""

from __future__ import annotations

from machinectl.cli.catalogue import PRINTS, Verb
from machinectl.cli.output.exit_status import report_failures
from machinectl.cli.output.stdout import write_out
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.machines.flags import Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.cli.verb_session import Session
    from machinectl.console import Console
    from machinectl.machines.store import Store


VERBS = {
    "ssh-config": Verb(
        "ssh_config",
        more="Without names: all machines with SSH.",
        examples=("machinectl ssh-config orionbox", "machinectl ssh-config --write"),
        arguments=(shared.NAMES,),
        flags=(
            Flag("--write", help="Write it to a file that stays up to date, and print the line that includes it."),
            shared.SELECTOR,
        ),
        output=PRINTS,
    ),
}


def ssh_config(here: Session, *, names: list[str], write: bool) -> int:
    if write:
        write_out(keep_ssh_config(here.store, here.console, names) + "\n")
        return 0
    from machinectl.docker_cli.ssh_config_file import all_blocks
    from machinectl.hosts.ssh_config import machine_host_block

    failures = []
    blocks = [] if names else list(all_blocks(here.store, here.console.warn).values())
    for name in dict.fromkeys(names):
        try:
            blocks.append(machine_host_block(here.store.read(name)))
        except MachineError as exc:
            failures.append(exc)
    write_out("".join(blocks))
    return report_failures(failures, here.program)


def keep_ssh_config(store: Store, console: Console, names: Sequence[str]) -> str:
    """Write a file that the store keeps current; return its Include line."""
    from machinectl.docker_cli.ssh_config_file import write_ssh_config
    from machinectl.hosts.ssh_config import USERS_OWN, include_line, is_included

    if names:
        raise UsageError(
            "--write writes a file for all machines, not for some", Hint("", "machinectl ssh-config --write")
        )
    write_ssh_config(store, console.warn)
    if not is_included(store):
        console.note(f"Put this line at the top of {USERS_OWN}, so that ssh knows the machines by name:")
    return include_line(store)
