"""Write machines to an encrypted file: the record, and of the files in a machine's directory these and no others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.exports import age
from machinectl.exports.docker_machine_records import KEY_FILE
from machinectl.exports.export_document import ExportDocument, ExportedMachine
from machinectl.files.atomic import write_and_rename
from machinectl.files.fileset import read_regular_file
from machinectl.files.user_files import read_secret, write_error
from machinectl.hosts.host_lock import user_at_computer
from machinectl.hosts.identity import CLIENT_FILES, SERVER_FILES, settle_pending
from machinectl.machines.holders import CA_FILE, CA_KEY_FILE, DIRECTORY, holders_of
from machinectl.machines.jump_hosts import machine_of
from machinectl.machines.machine_driver import KNOWN_HOSTS
from machinectl.machines.selection import waiting
from machinectl.machines.store.store_paths import now
from machinectl.machines.tls_warnings import unusable_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

STDOUT = "-"
ALWAYS = (*CLIENT_FILES, *SERVER_FILES, KNOWN_HOSTS)
# The machine's own SSH key, its public half and its certificate.
SSH_KEY_FILES = tuple(f"{KEY_FILE}{end}" for end in ("", ".pub", "-cert.pub"))


@dataclass(frozen=True)
class Secrets:
    """The keys that go along on request only."""

    ca_key: bool = False
    ssh_key: bool = False


EVERYTHING = Secrets(ca_key=True, ssh_key=True)


@dataclass(frozen=True)
class Encryption:
    """For recipients, else with a passphrase: from a file, or asked for."""

    recipients: Sequence[str] = ()
    recipients_file: str = ""
    passphrase_file: str = ""

    def all_recipients(self) -> list[str]:
        """Raise UsageError for both kinds, as age takes one; MachineError if one is invalid, or the file has none."""
        if self.passphrase_file and (self.recipients or self.recipients_file):
            raise UsageError("--passphrase-file and recipients exclude each other", Hint("Leave out --passphrase-file"))
        recipients = [*self.recipients, *(age.read_recipients(self.recipients_file) if self.recipients_file else ())]
        for recipient in recipients:
            age.parse_recipient(recipient)
        if self.recipients_file and not recipients:
            raise MachineError(
                f"{self.recipients_file} has no recipient", Hint("Write one on each line: age1… or ssh-ed25519 …")
            )
        return recipients

    def passphrase(self, console: Console) -> str:
        if self.passphrase_file:
            return read_secret(self.passphrase_file, "--passphrase-file")
        if not console.interactive:
            raise MachineError(
                "An export is encrypted, and there is no terminal to ask for a passphrase",
                Hint("Pass --recipient age1… or --passphrase-file FILE"),
            )
        passphrase = console.ask("Passphrase for the export: ", secret=True)
        if not passphrase or passphrase != console.ask("The same passphrase again: ", secret=True):
            cause = "The two passphrases differ" if passphrase else "An empty passphrase protects nothing"
            raise MachineError(f"{cause}, and nothing was written", Hint("Try again, or pass --passphrase-file FILE"))
        return passphrase


def export(
    store: Store,
    console: Console,
    names: Sequence[str],
    output: str,
    encryption: Encryption,
    secrets: Secrets,
    *,
    force: bool = False,
) -> tuple[bytes, dict[str, ExportedMachine]]:
    """Write all machines to `output`, or nothing. For "-", only return the data, which is armored then."""
    age.check_age_is_installed()
    recipients = encryption.all_recipients()
    if output != STDOUT:
        check_output(output, force=force)
    wanted = with_jump_hosts(store, names)
    machines = {name: collect(store, console, name, secrets) for name in wanted}
    text = ExportDocument(now(), user_at_computer(), machines).dump()
    if recipients:
        data = age.encrypt_for(text, recipients, armored=output == STDOUT)
    else:
        passphrase = encryption.passphrase(console)
        with console.step("Encrypting"):
            data = age.encrypt_with_passphrase(text, passphrase, armored=output == STDOUT)
    if jump_hosts := [name for name in wanted if name not in names]:
        console.note(f"Jump hosts go along: {', '.join(jump_hosts)}")
    if output != STDOUT:
        path = os.path.abspath(output)
        # No name that others may use: `write_and_rename` removes an existing file.
        temporary = os.path.join(os.path.dirname(path), f".machinectl-{os.urandom(8).hex()}.tmp")
        try:
            write_and_rename(path, temporary, data)
        except (OSError, ValueError) as exc:
            raise write_error(path, exc) from exc
    return data, machines


def with_jump_hosts(store: Store, names: Sequence[str]) -> list[str]:
    """Return the machines to export, jump hosts first.

    Raises MachineError if one does not exist or cannot be read.
    """
    wanted: dict[str, None] = {}
    for name in names:
        way = [name]
        while (gate := machine_of(store.read(way[-1]).jump)) and gate not in way:
            way.append(gate)
        wanted |= dict.fromkeys(reversed(way))
    return list(wanted)


def collect(store: Store, console: Console, name: str, secrets: Secrets) -> ExportedMachine:
    """Read a machine under its lock. Raises MachineError if it is incomplete, or its certificates are uncertain."""
    store.check_exists(name)
    settle_pending(store, name)
    with store.writing(name, waiting(console, name)) as held:
        held.finish_files()
        machine = store.read_ready(name)
        if store.is_unsettled(name):
            raise MachineError(
                f'"{name}" may get other certificates: a run of machinectl on its host was interrupted',
                Hint("Finish that first", "machinectl provision", name),
            )
        problem = unusable_certificates(machine)
        if problem and any(os.path.lexists(os.path.join(machine.directory, file)) for file in CLIENT_FILES):
            raise problem
        paths = {file: os.path.join(machine.directory, file) for file in exported_files(machine, EVERYTHING)}
        present = [file for file, path in paths.items() if os.path.lexists(path)]
        wanted = set(exported_files(machine, secrets))
        files = {file: read_regular_file(paths[file]) for file in present if file in wanted}
        return ExportedMachine(machine.dump(), files, tuple(file for file in present if file not in wanted))


def exported_files(machine: Machine, secrets: Secrets) -> Iterator[str]:
    """Yield the names of files that may go along, which need not exist."""
    yield from ALWAYS
    if secrets.ca_key:
        yield CA_KEY_FILE
    if secrets.ssh_key and machine.driver == "generic":
        yield from SSH_KEY_FILES
    for holder in holders_of(machine):
        yield f"{DIRECTORY}/{holder.who}/{CA_FILE}"
        if secrets.ca_key:
            yield f"{DIRECTORY}/{holder.who}/{CA_KEY_FILE}"


def check_output(path: str, *, force: bool) -> None:
    """Raise MachineError for an existing file without `force`, and for what is no file."""
    if os.path.lexists(path) and not os.path.isfile(path):
        raise MachineError(f"{path} is not a regular file", Hint("Name another file, or write to stdout: -o -"))
    if os.path.lexists(path) and not force:
        raise MachineError(
            f"{path} exists already, and was not changed", Hint("Choose another name, or --force; see", "ls -l", path)
        )
