"""`export`: write machines to an encrypted file, for the user's other computer."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import NO_HINT, Hint, MachineError, UsageError
from machinectl.exports import age
from machinectl.exports.collecting import Collected, collect, with_jump_hosts
from machinectl.exports.export_document import ExportDocument
from machinectl.files.atomic import full_disk_hint, write_and_rename
from machinectl.files.secret_files import read_secret
from machinectl.hosts.host_lock import user_at_computer
from machinectl.machines.store.store_paths import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.exports.collecting import Secrets
    from machinectl.machines.store import Store

STDOUT = "-"
# Times to type the same passphrase twice.
TRIES = 3


@dataclass(frozen=True)
class Encryption:
    """For recipients, else with a passphrase: from a file, or asked for."""

    recipients: Sequence[str] = ()
    recipients_file: str = ""
    passphrase_file: str = ""

    def check(self) -> None:
        """Raise UsageError for both kinds: age takes one."""
        if self.passphrase_file and (self.recipients or self.recipients_file):
            raise UsageError("--passphrase-file and recipients exclude each other", Hint("Leave out --passphrase-file"))

    def all_recipients(self) -> list[str]:
        """Raise MachineError if one is invalid, or the file has none."""
        found = [*self.recipients, *(age.read_recipients(self.recipients_file) if self.recipients_file else ())]
        for recipient in found:
            age.parse_recipient(recipient)
        if self.recipients_file and not found:
            raise MachineError(
                f"{self.recipients_file} has no recipient", Hint("Write one on each line: age1… or ssh-ed25519 …")
            )
        return found

    def passphrase(self, console: Console) -> str:
        if self.passphrase_file:
            return read_secret(self.passphrase_file, "--passphrase-file")
        if not console.interactive:
            raise MachineError(
                "An export is encrypted, and there is no terminal to ask for a passphrase",
                Hint("Pass --recipient age1… or --passphrase-file FILE"),
            )
        for _ in range(TRIES):
            first = console.ask("Passphrase for the export: ", secret=True)
            if not first:
                console.note("An empty passphrase protects nothing")
            elif first == console.ask("The same passphrase again: ", secret=True):
                return first
            else:
                console.note("The two passphrases differ")
        raise MachineError("No passphrase was chosen, and nothing was written", Hint("Or pass --passphrase-file FILE"))


def export(
    store: Store,
    console: Console,
    names: Sequence[str],
    output: str,
    encryption: Encryption,
    secrets: Secrets,
    *,
    force: bool = False,
) -> tuple[bytes, list[Collected]]:
    """Write all machines to `output`, or nothing. For "-", only return the data, which is armored then."""
    encryption.check()
    age.check_age_is_installed()
    recipients = encryption.all_recipients()
    if output != STDOUT:
        check_output(output, force=force)
    wanted = with_jump_hosts(store, names)
    found = [collect(store, console, name, secrets) for name in wanted]
    machines = {each.machine.name: each.exported for each in found}
    text = ExportDocument(now(), user_at_computer(), machines).dump()
    if recipients:
        data = age.encrypt_for(text, recipients, armored=output == STDOUT)
    else:
        passphrase = encryption.passphrase(console)
        with console.step("Encrypting"):
            data = age.encrypt_with_passphrase(text, passphrase, armored=output == STDOUT)
    for name, behind in wanted.items():
        if behind:
            console.note(f'"{name}" goes along: it is the jump host of "{behind}"')
    if output != STDOUT:
        write_export(output, data)
    return data, found


def check_output(path: str, *, force: bool) -> None:
    """Raise MachineError for an existing file without `force`, and for what is no file."""
    if not os.path.isdir(os.path.dirname(path) or os.curdir):
        directory = os.path.dirname(path)
        raise MachineError(f"There is no directory {directory}", Hint("Make it", "mkdir -p", directory))
    if os.path.isdir(path):
        raise MachineError(
            f"{path} is a directory", Hint(f"Name a file in it: -o {os.path.join(path, 'machines.age')}")
        )
    if os.path.lexists(path) and not os.path.isfile(path):
        raise MachineError(f"{path} is not a regular file", Hint("Name another file, or write to stdout: -o -"))
    if os.path.lexists(path) and not force:
        raise MachineError(
            f"{path} exists already, and was not changed", Hint("Choose another name, or --force; see", "ls -l", path)
        )
    try:
        # Before a passphrase is asked for: no file of that name, and none that stays.
        tempfile.TemporaryFile(dir=os.path.dirname(path) or os.curdir).close()
    except OSError as exc:
        raise unwritable(path, exc) from exc


def write_export(path: str, data: bytes) -> None:
    """Write all of it or nothing, for the owner only."""
    path = os.path.abspath(path)
    # No name that others may use: `write_and_rename` removes an existing file.
    temporary = os.path.join(os.path.dirname(path), f".machinectl-{os.urandom(8).hex()}.tmp")
    try:
        write_and_rename(path, temporary, data)
    except (OSError, ValueError) as exc:
        raise unwritable(path, exc) from exc


def unwritable(path: str, why: OSError | ValueError) -> MachineError:
    directory = os.path.dirname(path) or os.curdir
    reason = why.strerror if isinstance(why, OSError) else str(why)
    full = full_disk_hint(why, directory) if isinstance(why, OSError) else NO_HINT
    return MachineError(f"{path} cannot be written: {reason}", full or Hint("See", "ls -ld", directory))
