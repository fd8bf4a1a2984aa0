"""The verbs `scp` and `mount`."""

from __future__ import annotations

from machinectl.cli.catalogue import LOGIN, Argument, Verb
from machinectl.cli.invocation import NAME, THIS
from machinectl.cli.output.exit_status import report
from machinectl.errors import Hint
from machinectl.machines.flags import DIRECTORY, PLACE, REMOTE, Flag
from machinectl.verbs import shared_flags as shared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from machinectl.cli.verb_session import Session
    from machinectl.hosts.login import Login


VERBS = {
    "scp": Verb(
        "scp",
        more=(
            "The last path is the target. A path without NAME: is on this computer, as are ./a:b and localhost:PATH."
        ),
        examples=("machinectl scp notes.txt orionbox:", "machinectl scp -r orionbox:www rigel:"),
        arguments=(
            Argument("words", "[[USER@]NAME:]PATH… [[USER@]NAME:]PATH", PLACE, many=True, required=True, repeats=True),
        ),
        flags=(
            Flag("-r", "--recursive", help="Copy directories with their contents."),
            Flag("-d", "--delta", help="Use rsync: copy only what changed, and links as links."),
            Flag("-q", "--quiet", help="Show no progress."),
            Flag("-p", "--preserve", help="Keep modes and times."),
            *LOGIN,
        ),
    ),
    "mount": Verb(
        "mount",
        more=(
            "It needs sshfs. Without NAME:PATH, it lists what is mounted. Without DIR, it mounts on the same path "
            "here, which must be an empty directory. To unmount, DIR is enough."
        ),
        examples=("machinectl mount orionbox:www www", "machinectl mount", "machinectl mount -u www"),
        arguments=(
            Argument("source", "[USER@]NAME:PATH", REMOTE),
            Argument("target", "[DIR]", DIRECTORY),
        ),
        flags=(Flag("-u", "--unmount", help="Unmount."), shared.JSON),
    ),
}


# scp's own exit status if the connection fails.
CONNECTION_FAILED = 255


def connecting(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return CONNECTION_FAILED for a verb's SSH failures."""
    import functools

    from machinectl.ssh.ssh_errors import SSHError

    @functools.wraps(function)
    def run(here: Session, **given: Any) -> int | None:
        try:
            return function(here, **given)
        except SSHError as exc:
            report(exc, here.program)
            return CONNECTION_FAILED

    return run


@connecting
def scp(
    here: Session, *, words: list[str], login: Login, recursive: bool, delta: bool, quiet: bool, preserve: bool
) -> int:
    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.typed_words import typed_line
    from machinectl.errors import UsageError
    from machinectl.hosts.remote_files import copy_files

    if len(words) < 2:  # noqa: PLR2004 - source and target
        target = "." if ":" in words[0].partition("/")[0] else "<NAME>:<PATH>"
        raise UsageError("The target is missing", Hint("", f"{NAME} {typed_line(THIS.typed)} {target}"))
    with exiting_on_signals():
        return copy_files(
            here.store, here.console, words, login, recursive=recursive, preserve=preserve, quiet=quiet, delta=delta
        )


@connecting
def mount(here: Session, *, source: str, target: str, unmount: bool, as_json: bool) -> None:
    from machinectl.cli.ending_signals import exiting_on_signals
    from machinectl.cli.tables.text_table import print_fields
    from machinectl.hosts import remote_files

    if not (source or unmount):
        rows = [{"Source": place, "Directory": directory} for place, directory in remote_files.mounts(here.store)]
        print_fields({"SOURCE": "Source", "DIRECTORY": "Directory"}, rows, as_json=as_json)
    elif unmount:
        remote_files.unmount(here.store, source, target)
    else:
        with exiting_on_signals():
            remote_files.mount(here.store, here.console, source, target)
