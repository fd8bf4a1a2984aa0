"""Convert an Ansible inventory or ssh_config to a fleet file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, wrong_choice
from machinectl.files.atomic import quote_word
from machinectl.fleet.foreign import ansible_ini, ansible_yaml, openssh_config
from machinectl.fleet.foreign.sources import ImportedHost, Notes, Spot, WrongSource, contents
from machinectl.fleet.reading.key_values import CONTROLS
from machinectl.fleet.writing.draft import Described, Draft, settled
from machinectl.machines.record import LONGEST_NAME, NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from machinectl.fleet.writing.draft import Value


DRIVER = "generic"
ANSIBLE, SSH_CONFIG = KINDS = ("ansible", "ssh-config")
# No pattern spans lines, so a file of empty lines is searched only once.
SECTION = re.compile(r"^[^\S\n]*\[[^\]\n]+\][^\S\n]*(?:[#;].*)?$", re.MULTILINE)
OF_SSH = re.compile(
    r"^[^\S\n]*(?:Host|Match|Include)(?:[^\S\n]*=[^\S\n]*|[^\S\n]+)(?!ansible_)\S", re.MULTILINE | re.IGNORECASE
)
# Lines of ssh_config(5) with the options that most files have.
OF_SSH_OPTION = re.compile(
    r"^[^\S\n]*(?:Host(?:Name|Key\w+)?|Match|Include|User(?:KnownHosts\w+)?|Port|Identit(?:y\w+|iesOnly)|Proxy\w+"
    r"|\w+Forward|Forward\w+|Server\w+|Control\w+|\w+Algorithms|\w+Authentications?|\w+KeyTypes|StrictHost\w+"
    r"|CertificateFile|Ciphers|MACs|Compression|Connect\w+|TCPKeepAlive|AddKeysToAgent|UseKeychain|SendEnv|SetEnv"
    r"|RequestTTY|BatchMode|AddressFamily|LogLevel|IgnoreUnknown|Tag)\b",
    re.MULTILINE | re.IGNORECASE,
)
LINE = re.compile(r"^[^\S\n]*[^\s#]", re.MULTILINE)
# Lines that only an inventory has.
OF_INVENTORY = re.compile(r"""ansible_|^\s*["']?(?:all|hosts|children|plugin|_meta)["']?\s*:""", re.MULTILINE)
OF_YAML = re.compile(r"""---|\{|["']?[\w.-]+["']?\s*:(?:\s|$)""")
SSH_PORT = "22"


def import_file(path: str, given: str, machines: Sequence[str], notes: Notes) -> str:
    """Return a fleet file, and note skipped parts.

    `given` is one of KINDS, "" to detect it. `machines` may be jump hosts. Raises MachineError for an unreadable
    file or another kind.
    """
    if given and given not in KINDS:
        raise wrong_choice("--from", given, KINDS)
    if os.path.isdir(path):
        raise MachineError(f"{path} is a directory", ansible_yaml.BY_ANSIBLE)
    text = contents(path)
    kind = given or kind_of(text)
    if text.startswith("#!"):
        raise WrongSource(Spot(path), "this is a program, which machinectl does not run", ansible_yaml.BY_ANSIBLE)
    found = hosts_in(text, path, kind, notes) if given or is_inventory(text, kind) else guess_hosts(text, path, notes)
    if not found:
        patterns = "Host lines with patterns do not count. " if kind == SSH_CONFIG else ""
        raise MachineError(f"{path} has no hosts with SSH", f"{patterns}Or name its kind: --from")
    taken = Importer(notes, machines)
    hosts = taken.hosts(found)
    heading = (f"Made of {path}, which was not changed. Check it, then: machinectl plan",)
    draft = Draft(heading, hosts, {DRIVER: load(DRIVER).options()}, taken.groups(found))
    done = settled(draft, machines)
    values = {host.name: host.keys.values() for host in hosts}
    for line in done.left_out:
        notes.lines[without_values(line, values.get(line.partition(" ")[0], ()))] = None
    return done.text()


def without_values(line: str, values: Iterable[Value]) -> str:
    """Hide values: an included file may contain secrets."""
    for value in values:
        line = line.replace(repr(value), "<value>")
    return line


def kind_of(text: str) -> str:
    if is_yaml(text) or SECTION.search(text):
        return ANSIBLE
    return SSH_CONFIG if OF_SSH.search(text) and has_ssh_options(text) else ANSIBLE


def has_ssh_options(text: str) -> bool:
    """Return whether most lines are options of ssh: prose may have a line that begins with `Host`."""
    return len(OF_SSH_OPTION.findall(text)) * 2 > len(LINE.findall(text))


def is_inventory(text: str, kind: str) -> bool:
    """Return whether a file is surely of its kind, so that its errors help."""
    return kind == SSH_CONFIG or bool(SECTION.search(text) or OF_INVENTORY.search(text))


def guess_hosts(text: str, path: str, notes: Notes) -> list[ImportedHost]:
    """Read names of hosts, one on a line. Raises MachineError for other text."""
    try:
        return hosts_in(text, path, ANSIBLE, notes)
    except WrongSource as exc:
        raise MachineError(
            f"{path}: this is neither an inventory nor an ssh_config",
            f"If it is one, see what is wrong in it: machinectl fleet import --from ansible {quote_word(path)}",
        ) from exc


def is_yaml(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    return bool(OF_YAML.match(first))


def hosts_in(text: str, path: str, kind: str, notes: Notes) -> list[ImportedHost]:
    if kind == SSH_CONFIG:
        return openssh_config.parse_ssh_config(text, path, notes)
    inventory = ansible_yaml.parse_yaml(text, path) if is_yaml(text) else ansible_ini.parse_ini(text, path)
    ansible_yaml.add_files_beside(inventory, os.path.dirname(path), notes)
    return inventory.taken(notes)


class Importer:
    def __init__(self, notes: Notes, machines: Sequence[str]) -> None:
        self.notes = notes
        self.machines = frozenset(machines)
        # By the names in the file.
        self.names: dict[str, str] = {}
        self.taken: frozenset[str] = frozenset()

    def hosts(self, found: Sequence[ImportedHost]) -> list[Described]:
        taken: set[str] = set()
        for each in found:
            name = first = as_name(each.name)
            number = 1
            while name.lower() in taken:
                number += 1
                name = f"{first}-{number}"
            taken.add(name.lower())
            self.names[each.name] = name
            if name != each.name:
                self.notes.add(each.spot, f"{each.name} is renamed to {name}: names have letters, digits, - and .")
        self.taken = frozenset(self.names.values())
        return [self.host(each) for each in found]

    def host(self, each: ImportedHost) -> Described:
        keys: dict[str, Value] = {"ip-address": each.address}
        if each.user:
            keys["ssh-user"] = each.user
        if each.port and each.port != SSH_PORT:
            self.port(keys, each)
        if each.key:
            # Fleet files expand ~, too.
            beside = os.path.dirname(each.spot.path)
            keys["ssh-key"] = each.key if each.key.startswith("~") else os.path.abspath(os.path.join(beside, each.key))
        if each.groups:
            keys["groups"] = tuple(map(as_group, each.groups))
        if each.jump:
            self.jump(keys, each)
        for key, value in list(keys.items()):
            if isinstance(value, str) and CONTROLS.search(value):
                self.notes.add(each.spot, f"{key} of {each.name} is skipped: it contains a control character")
                del keys[key]
        return Described(self.names[each.name], DRIVER, keys)

    def port(self, keys: dict[str, Value], each: ImportedHost) -> None:
        if each.port.isascii() and each.port.isdecimal() and len(each.port) < 6:  # noqa: PLR2004 - digits of a port
            keys["ssh-port"] = int(each.port)
        else:
            self.notes.add(each.spot, f"the port of {each.name} is skipped: it is not a port number")

    def jump(self, keys: dict[str, Value], each: ImportedHost) -> None:
        jump = each.jump.removeprefix("ssh://").rstrip("/")
        if jump in self.names:
            jump = self.names[jump]
            if jump == self.names[each.name]:
                return
        is_known = "@" in jump or jump in self.taken or jump in self.machines
        if "," in jump or not is_known:
            why = "there is more than one" if "," in jump else "write it as user@host[:port]"
            self.notes.add(each.spot, f"the jump host of {each.name} is skipped: {why}")
            return
        keys["ssh-jump"] = jump

    def groups(self, found: Iterable[ImportedHost]) -> dict[str, dict[str, Value]]:
        names = dict.fromkeys(as_group(name) for each in found for name in each.groups)
        return {name: {"labels": {name: ""}} for name in names}


def as_group(text: str) -> str:
    """Return a name that is also a valid label."""
    return "".join(letter if letter.isprintable() and letter not in " =" else "-" for letter in text) or "-"


def as_name(text: str) -> str:
    name = "".join(letter if letter in NAME_CHARACTERS else "-" for letter in text).lstrip("-.")[:LONGEST_NAME]
    return name or "host"
