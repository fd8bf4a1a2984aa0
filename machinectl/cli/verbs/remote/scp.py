"""The verbs `scp` and `mount`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from machinectl.cli.options.ending_signals import exiting_on_signals
from machinectl.cli.output.exit_status import report
from machinectl.cli.output.stdout import print_json, write_out
from machinectl.errors import Hint
from machinectl.ssh.ssh_errors import SSHError

if TYPE_CHECKING:
    from collections.abc import Callable

    from machinectl.cli.options.verb_session import Session
    from machinectl.hosts.login import Login


# scp's own exit status if the connection fails.
CONNECTION_FAILED = 255


def connecting(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Return CONNECTION_FAILED for a verb's SSH failures."""

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
    from machinectl.commands.scp import scp as command
    from machinectl.errors import UsageError
    from machinectl.ssh.openssh.copy_commands import CopyOptions

    if len(words) < 2:  # noqa: PLR2004 - source and target
        target = "." if ":" in words[0].partition("/")[0] else "<NAME>:<PATH>"
        raise UsageError("The target is missing", Hint("", "machinectl scp", words[0], target))
    wishes = CopyOptions(recursive, preserve, quiet)
    with exiting_on_signals():
        return command(here.store, here.console, words, wishes, login, delta=delta, native=here.native_ssh)


@connecting
def mount(here: Session, *, source: str, target: str, unmount: bool, as_json: bool) -> None:
    from machinectl.cli.tables.text_table import table_text
    from machinectl.commands import mount as commands

    if not (source or unmount):
        rows = commands.mounts(here.store)
        if as_json:
            print_json([{"Source": each, "Directory": directory} for each, directory in rows])
        else:
            write_out(table_text(["SOURCE", "DIRECTORY"], rows))
    elif unmount:
        commands.unmount(here.store, source, target)
    else:
        with exiting_on_signals():
            commands.mount(here.store, here.console, source, target)
