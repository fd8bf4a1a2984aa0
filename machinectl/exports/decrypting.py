"""Read and decrypt an export: with a passphrase, or with the private key of a recipient."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from machinectl.errors import Hint, MachineError
from machinectl.exports import age
from machinectl.exports.export_document import LONGEST_EXPORT, parse_document
from machinectl.files.atomic import read_file
from machinectl.files.user_files import file_error, read_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.console import Console
    from machinectl.exports.export_document import ExportDocument

STDIN = "-"
# Bytes: base64 and age's own take less than twice the content.
LONGEST_FILE = 2 * LONGEST_EXPORT


def read_export(
    source: str,
    console: Console,
    identities: Sequence[str] = (),
    passphrase_file: str = "",
    *,
    can_ask: bool = True,
) -> ExportDocument:
    """Read and decrypt an export; "-" is stdin. `identities` are files with private keys.

    Raises MachineError, NotDecrypted for a wrong key.
    """
    data = read_source(source)
    if not age.is_age_file(data):
        raise MachineError(
            f"{'stdin' if source == STDIN else source} is neither an export, which is encrypted with age, nor "
            "docker-machine's store",
            Hint("Export machines on the other computer", "machinectl export <NAME> -o <FILE>", elsewhere=True),
        )

    def ask(question: str) -> str:
        if not can_ask:
            raise MachineError(
                "A passphrase is needed, and there is no terminal to ask for it", Hint("Pass --passphrase-file FILE")
            )
        return console.ask(question, secret=True)

    if age.needs_passphrase(data):
        if identities:
            raise MachineError(
                f"{source} is encrypted with a passphrase, and --identity does not open it",
                Hint("Leave out --identity, and type the passphrase or pass --passphrase-file FILE"),
            )
        if passphrase_file:
            secret = read_secret(passphrase_file, "--passphrase-file")
        else:
            secret = ask("Passphrase of the export: ")
        with console.step("Decrypting"):
            return parse_document(age.decrypt_with_passphrase(data, secret))
    if not identities:
        raise MachineError(
            f"{source} is encrypted for keys: it needs the private key of one of its recipients",
            Hint("Name the file with the private key: --identity <FILE>, such as ~/.ssh/id_ed25519"),
        )
    keys = [key for path in identities for key in age.read_identities(os.path.expanduser(path), ask)]
    return parse_document(age.decrypt_with_identities(data, keys))


def read_source(source: str) -> bytes:
    try:
        if source != STDIN:
            return read_file(source, LONGEST_FILE)
    except (OSError, ValueError) as exc:
        raise MachineError(f"{source} cannot be read: {file_error(exc)}", Hint("See", "ls -l", source)) from exc
    data = sys.stdin.buffer.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        raise MachineError(f"stdin has more than {LONGEST_FILE >> 20} MB, as no export has", Hint("Check the file"))
    return data
