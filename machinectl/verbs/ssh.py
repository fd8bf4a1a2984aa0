"""The verbs `ssh` and `ssh-config`."""

from __future__ import annotations

from machinectl.cli.declared_verb import PRINTS, RELAYS, Argument, Verb
from machinectl.cli.output.exit_status import report_failures
from machinectl.cli.output.stdout import write_out
from machinectl.cli.own_flags import LOGIN
from machinectl.machines.flags import MACHINE, TEXT, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
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


def ssh(here: Session, *, words: list[str], login: Login) -> int:
    from machinectl.hosts import foreground_ssh

    return foreground_ssh.ssh(here.store, here.console, words, login, native=here.native_ssh)


def ssh_config(here: Session, *, names: list[str], write: bool) -> int:
    from machinectl.commands import ssh_config as commands

    if write:
        write_out(commands.keep_ssh_config(here.store, here.console, names) + "\n")
        return 0
    found = list(commands.ssh_config(here.store, here.console, names))
    write_out("".join(block for _, block in found if isinstance(block, str)))
    return report_failures((block for _, block in found), here.program)
