"""The verb `ssh`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, RELAYS, Argument, Verb
from machinectl.machines.flags import MACHINE, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from machinectl.cli.verb_session import Session
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
}


def ssh(here: Session, *, words: list[str], login: Login) -> int:
    from machinectl.hosts import openssh_programs

    return openssh_programs.ssh(here.store, here.console, words, login, native=here.native_ssh)
