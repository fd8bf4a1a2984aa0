"""Read and decrypt an export: with a passphrase, or with the private key of a recipient."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.exports import age
from machinectl.exports.export_document import LONGEST_EXPORT, parse_document
from machinectl.files.atomic import read_file
from machinectl.files.secret_files import read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.exports.export_document import ExportDocument

STDIN = "-"
# Bytes: base64 and age's own take less than twice the content.
LONGEST_FILE = 2 * LONGEST_EXPORT


def read_export(source: str, decryption: Decryption) -> ExportDocument:
    """Read and decrypt an export; "-" is stdin. Raises MachineError."""
    data = read_source(source)
    if not age.is_age_file(data):
        named = "stdin" if source == STDIN else source
        raise MachineError(
            f"{named} is neither an export, which is encrypted with age, nor docker-machine's store",
            Hint("Export machines on the other computer", "machinectl export <NAME> -o <FILE>", elsewhere=True),
        )
    return parse_document(decryption.decrypted(source, data))


def read_source(source: str) -> bytes:
    if source == STDIN:
        data = sys.stdin.buffer.read(LONGEST_FILE + 1)
        if len(data) > LONGEST_FILE:
            raise MachineError(f"stdin has more than {LONGEST_FILE >> 20} MB, as no export has", Hint("Check the file"))
        return data
    try:
        return read_file(source, LONGEST_FILE)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise MachineError(f"{source} cannot be read: {reason}", Hint("See", "ls -l", source)) from exc


@dataclass(frozen=True)
class Decryption:
    """`identities` are files with private keys."""

    console: Console
    identities: Sequence[str] = ()
    passphrase_file: str = ""
    can_ask: bool = True

    def decrypted(self, source: str, data: bytes) -> bytes:
        """Raise MachineError, and NotDecrypted for a wrong key."""
        if age.needs_passphrase(data):
            if self.identities:
                raise MachineError(
                    f"{source} is encrypted with a passphrase, and --identity does not open it",
                    Hint("Leave out --identity, and type the passphrase or pass --passphrase-file FILE"),
                )
            secret = self.passphrase()
            with self.console.step("Decrypting"):
                return age.decrypt_with_passphrase(data, secret)
        if not self.identities:
            raise MachineError(
                f"{source} is encrypted for keys: it needs the private key of one of its recipients",
                Hint("Name the file with the private key: --identity <FILE>, such as ~/.ssh/id_ed25519"),
            )
        paths = [os.path.expanduser(path) for path in self.identities]
        return age.decrypt_with_identities(data, [key for path in paths for key in age.read_identities(path, self.ask)])

    def passphrase(self) -> str:
        if self.passphrase_file:
            return read_secret(self.passphrase_file, "--passphrase-file")
        return self.ask("Passphrase of the export: ")

    def ask(self, question: str) -> str:
        if not self.can_ask:
            raise MachineError(
                "A passphrase is needed, and there is no terminal to ask for it", Hint("Pass --passphrase-file FILE")
            )
        return self.console.ask(question, secret=True)
