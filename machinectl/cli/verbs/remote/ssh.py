"""`ssh` and `ssh-config` on the command line."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import write_out
from machinectl.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.connection.login import Access

# OpenSSH's own, for a failure that is not the remote command's (ssh(1), EXIT STATUS).
SSH_FAILED = 255


def failing_with(
    code: int, kind: type[MachineError] = MachineError
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Have a verb's own failures of a kind end in one exit code, whatever they are."""

    def change(function: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(function)
        def run(here: Session, **given: Any) -> int | None:
            try:
                return function(here, **given)
            except kind as exc:
                report(exc, here.program)
                return code

        return run

    return change


@failing_with(SSH_FAILED)
def ssh(here: Session, *, words: list[str], access: Access) -> int:
    from machinectl.commands.ssh import ssh as command

    return command(here.store, here.console, words, access, native=here.native_ssh)


def ssh_config(here: Session, *, names: list[str], write: bool) -> None:
    from machinectl.commands import ssh_config as commands

    if write:
        write_out(commands.keep_ssh_config(here.store, here.console, names) + "\n")
    else:
        write_out(commands.ssh_config(here.store, here.console, names))
