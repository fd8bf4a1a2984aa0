"""`import FILE`: add machines that another computer exported."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.exports import age
from machinectl.exports.export_document import LONGEST_EXPORT, parse_document
from machinectl.exports.restoring import Restoring, chosen_machines
from machinectl.files.atomic import read_file
from machinectl.files.secret_files import read_secret
from machinectl.machines.docker_machine import check_apart
from machinectl.machines.jump_order import keep_jump_hosts
from machinectl.machines.store.store_directory import sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from machinectl.console import Console
    from machinectl.exports.export_document import ExportDocument
    from machinectl.exports.store_import import ImportedMachine
    from machinectl.machines.store import Store

STDIN = "-"
# Bytes: base64 and age's own take less than twice the content.
LONGEST_FILE = 2 * LONGEST_EXPORT
TRIES = 3
SSH_STANZAS = {"ssh-ed25519": "~/.ssh/id_ed25519", "ssh-rsa": "~/.ssh/id_rsa"}


def import_export(
    store: Store,
    console: Console,
    document: ExportDocument,
    words: Sequence[str],
    *,
    context: bool = True,
    dry_run: bool = False,
) -> Iterator[tuple[str, ImportedMachine | MachineError]]:
    """Import each machine completely or not at all. Existing machines stay unchanged."""
    check_apart(store.root)
    chosen = chosen_machines(document, words)
    if not dry_run:
        keep_jump_hosts(store, console)
    run = Restoring(store, console, document, context, dry_run)
    for name, local in chosen.items():
        try:
            result: ImportedMachine | MachineError = run.restore(name, local)
        except MachineError as exc:
            result = exc
        yield local, result
    if not dry_run:
        sweep(store)


def read_export(
    source: str, console: Console, *, identities: Sequence[str] = (), passphrase_file: str = "", can_ask: bool = True
) -> ExportDocument:
    """Read and decrypt an export; "-" is stdin. Raises MachineError."""
    data = read_source(source)
    if not age.is_age_file(data):
        raise not_encrypted(source)
    return parse_document(Decryption(source, console, identities, passphrase_file, can_ask).open(data))


def read_source(source: str, stdin: BinaryIO | None = None) -> bytes:
    if source == STDIN:
        data = (stdin or sys.stdin.buffer).read(LONGEST_FILE + 1)
        if len(data) > LONGEST_FILE:
            raise MachineError(f"stdin has more than {LONGEST_FILE >> 20} MB, as no export has", Hint("Check the file"))
        return data
    try:
        return read_file(source, LONGEST_FILE)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(f"{source} cannot be read: {reason}", Hint("See", "ls -l", source)) from exc


def not_encrypted(source: str) -> MachineError:
    named = "stdin" if source == STDIN else source
    return MachineError(
        f"{named} is neither an export, which is encrypted with age, nor docker-machine's store",
        Hint("Export machines on the other computer", "machinectl export <NAME> -o <FILE>", elsewhere=True),
    )


class Decryption:
    def __init__(
        self, source: str, console: Console, identities: Sequence[str], passphrase_file: str, can_ask: bool
    ) -> None:
        self.source = source
        self.console = console
        self.identities = identities
        self.passphrase_file = passphrase_file
        self.can_ask = can_ask

    def open(self, data: bytes) -> bytes:
        """Raise MachineError, and NotDecrypted for a wrong key."""
        if age.needs_passphrase(data):
            if self.identities:
                raise MachineError(
                    f"{self.source} is encrypted with a passphrase, and --identity does not open it",
                    Hint("Leave out --identity, and type the passphrase or pass --passphrase-file FILE"),
                )
            return self.open_with_passphrase(data)
        if not self.identities:
            raise self.needs_identity(data)
        found = [key for path in self.identities for key in age.read_identities(os.path.expanduser(path), self.ask)]
        return age.decrypt_with_identities(data, found)

    def needs_identity(self, data: bytes) -> MachineError:
        path = next((SSH_STANZAS[each] for each in age.recipient_types(data) if each in SSH_STANZAS), "<FILE>")
        return MachineError(
            f"{self.source} is encrypted for keys: it needs the private key of one of its recipients",
            Hint(f"Name the file with the private key: --identity {path}"),
        )

    def open_with_passphrase(self, data: bytes) -> bytes:
        if self.passphrase_file:
            try:
                return self.decrypt(data, read_secret(self.passphrase_file, "--passphrase-file"))
            except age.NotDecrypted as exc:
                exc.hint = Hint("Leave out --passphrase-file to type it; or see", "ls -l", self.passphrase_file)
                raise
        for _ in range(TRIES - 1):
            try:
                return self.decrypt(data, self.ask("Passphrase of the export: "))
            except age.NotDecrypted as exc:
                self.console.note(exc.cause)
        return self.decrypt(data, self.ask("Passphrase of the export: "))

    def decrypt(self, data: bytes, passphrase: str) -> bytes:
        with self.console.step("Decrypting"):
            return age.decrypt_with_passphrase(data, passphrase)

    def ask(self, question: str) -> str:
        if not self.can_ask:
            raise MachineError(
                "A passphrase is needed, and there is no terminal to ask for it", Hint("Pass --passphrase-file FILE")
            )
        return self.console.ask(question, secret=True)
