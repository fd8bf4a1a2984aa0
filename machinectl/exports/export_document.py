"""Read an export, and what it holds before encryption: JSON with records and files.

{"machinectl": "export", "version": 1, "made": RFC 3339, "by": user@computer, "machines": {NAME: {"record": {…},
"files": {FILE: base64}, "left_out": [FILE]}}}
"""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.errors import UPGRADE, Hint, MachineError, one_line
from machinectl.exports import age
from machinectl.files.atomic import LONGEST, read_file
from machinectl.files.user_files import file_error, read_secret
from machinectl.json_values import parse_json
from machinectl.machines.record import is_name
from machinectl.machines.store.store_paths import LONGEST_RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console


KIND, VERSION = "export", 1
# Bytes of a whole export: a machine takes about 20,000.
LONGEST_EXPORT = 64 << 20


@dataclass(frozen=True)
class ExportedMachine:
    """`record` is machine.json. `left_out` names files that stay on the first computer."""

    record: bytes
    files: Mapping[str, bytes] = field(repr=False)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportDocument:
    made: str
    by: str
    machines: Mapping[str, ExportedMachine]

    def dump(self) -> bytes:
        """Raise MachineError if `parse_document` would refuse the size."""
        machines = {
            name: {
                "record": json.loads(machine.record),
                "files": {file: base64.b64encode(data).decode() for file, data in machine.files.items()},
                "left_out": list(machine.left_out),
            }
            for name, machine in self.machines.items()
        }
        document = {"machinectl": KIND, "version": VERSION, "made": self.made, "by": self.by, "machines": machines}
        text = json.dumps(document, indent=1).encode()
        if len(text) > LONGEST_EXPORT:
            raise MachineError(
                f"An export has at most {LONGEST_EXPORT >> 20} MB, and these machines take {len(text) >> 20}",
                Hint("Export them in several files"),
            )
        return text


def parse_document(text: bytes) -> ExportDocument:
    """Raise MachineError for anything that `dump` does not write, except unknown keys."""
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as exc:
        raise not_an_export("it is not JSON") from exc
    version, machines = (data.get("version"), data.get("machines")) if isinstance(data, dict) else (None, None)
    if type(version) is not int or version < 1 or data.get("machinectl") != KIND:
        raise not_an_export("it is another program's")
    if version > VERSION:
        raise MachineError(
            f"The export was written by a newer machinectl (version {version}; this one knows {VERSION})",
            UPGRADE,
        )
    if not isinstance(machines, dict) or not machines:
        raise not_an_export("it has no machines")
    if not all(map(is_name, machines)) or len({name.lower() for name in machines}) < len(machines):
        raise not_an_export("a name in it is invalid, or there twice")
    made, by = (one_line(str(data.get(key, ""))) for key in ("made", "by"))
    return ExportDocument(made, by, {name: parse_machine(name, machine) for name, machine in machines.items()})


def parse_machine(name: str, data: Any) -> ExportedMachine:
    values = data if isinstance(data, dict) else {}
    record, packed, left_out = (values.get(key) for key in ("record", "files", "left_out"))
    if not isinstance(record, dict) or not isinstance(packed, dict) or not isinstance(left_out, list):
        raise not_an_export(f'"{name}" lacks its record or its files')
    text = json.dumps(record).encode()
    try:
        files = {file: base64.b64decode(content, validate=True) for file, content in packed.items()}
    except (TypeError, ValueError) as exc:
        raise not_an_export(f'a file of "{name}" cannot be read') from exc
    if len(text) > LONGEST_RECORD or any(len(content) > LONGEST for content in files.values()):
        raise not_an_export(f'the record or a file of "{name}" is too long')
    return ExportedMachine(text, files, tuple(one_line(str(file)) for file in left_out))


def not_an_export(why: str) -> MachineError:
    return MachineError(
        f"The file holds no machines that machinectl exported: {why}",
        Hint("Export them on the other computer", "machinectl export <NAME> -o <FILE>", elsewhere=True),
    )


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
    try:
        data = sys.stdin.buffer.read(LONGEST_FILE) if source == STDIN else read_file(source, LONGEST_FILE)
    except (OSError, ValueError) as exc:
        raise MachineError(f"{source} cannot be read: {file_error(exc)}", Hint("See", "ls -l", source)) from exc
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
        question = "Passphrase of the export: "
        secret = read_secret(passphrase_file, "--passphrase-file") if passphrase_file else ask(question)
        with console.step("Decrypting"):
            return parse_document(age.decrypt_with_passphrase(data, secret))
    if not identities:
        raise MachineError(
            f"{source} is encrypted for keys: it needs the private key of one of its recipients",
            Hint("Name the file with the private key: --identity <FILE>, such as ~/.ssh/id_ed25519"),
        )
    keys = [key for path in identities for key in age.read_identities(os.path.expanduser(path), ask)]
    return parse_document(age.decrypt_with_identities(data, keys))
