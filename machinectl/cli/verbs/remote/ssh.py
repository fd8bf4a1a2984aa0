"""The verbs `ssh` and `ssh-config`."""

from __future__ import annotations

from machinectl.cli.output.exit_status import report_failures
from machinectl.cli.output.stdout import write_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


def ssh(here: Session, *, words: list[str], login: Login) -> int:
    from machinectl.commands.ssh import ssh as command

    return command(here.store, here.console, words, login, native=here.native_ssh)


def ssh_config(here: Session, *, names: list[str], write: bool) -> int:
    from machinectl.commands import ssh_config as commands

    if write:
        write_out(commands.keep_ssh_config(here.store, here.console, names) + "\n")
        return 0
    found = list(commands.ssh_config(here.store, here.console, names))
    write_out("".join(block for _, block in found if isinstance(block, str)))
    return report_failures((block for _, block in found), here.program)
