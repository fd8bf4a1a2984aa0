"""Convert an Ansible inventory or an ssh_config to a fleet file; Ansible and ssh themselves read theirs."""

from __future__ import annotations

import functools
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from machinectl.driver.installed_drivers import load
from machinectl.errors import Hint, MachineError, one_line, wrong_choice
from machinectl.files.atomic import read_file
from machinectl.files.new_file import file_error
from machinectl.fleet.draft import Described, Draft, settled
from machinectl.fleet.key_values import CONTROLS
from machinectl.fleet.yaml_nodes import LONGEST_FILE
from machinectl.machines.record import LONGEST_NAME, NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from machinectl.fleet.draft import Value

DRIVER = "generic"
ANSIBLE, SSH_CONFIG = KINDS = ("ansible", "ssh-config")
# Lines of an ssh_config; an inventory may have a host of that name, with variables of Ansible's.
OF_SSH = re.compile(
    r"^[^\S\n]*(Host|Match|Include)[^\S\n=]*[\s=][^\S\n]*(?!ansible_)(\S.*)$", re.MULTILINE | re.IGNORECASE
)
SECTION = re.compile(r"^\s*\[[^\]\n]+\]\s*$", re.MULTILINE)
# OpenSSH's (readconf.c, READCONF_MAX_DEPTH).
DEEPEST = 16
SSH_PORT = "22"
# Git servers' user: not a host to set up.
FORGE = "git"
# By ImportedHost's fields. The last one that is set wins, as in Ansible.
VARIABLES = {
    "address": ("ansible_host", "ansible_ssh_host"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "key": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONNECTION = "ansible_connection"
IMPORTED = frozenset({CONNECTION, *ARGUMENTS, *(name for names in VARIABLES.values() for name in names)})
OVER_SSH = frozenset({"", "ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
TEMPLATE = re.compile(r"\{[{%#]")
JUMP_ARGUMENT = re.compile(r"(?:-J\s*|-o\s*[\"']?ProxyJump[\s=]+)([^\s\"']+)", re.IGNORECASE)


@dataclass(frozen=True)
class ImportedHost:
    """`jump` is ProxyJump's value: [user@]host[:port], comma-separated. `key` is relative to the imported file."""

    name: str
    address: str
    user: str = ""
    port: str = ""
    key: str = ""
    jump: str = ""
    groups: tuple[str, ...] = ()


@dataclass
class Notes:
    """Remarks on skipped parts, each once."""

    path: str
    lines: dict[str, None] = field(default_factory=dict)

    def add(self, text: str) -> None:
        self.lines[f"{self.path}: {one_line(text)}"] = None


def import_file(path: str, kind: str, machines: Sequence[str], notes: Notes) -> str:
    """Return a fleet file, and note skipped parts.

    `kind` is one of KINDS, "" to detect it. `machines` may be jump hosts. Raises MachineError.
    """
    if kind and kind not in KINDS:
        raise wrong_choice("--from", kind, KINDS)
    text = contents(path)
    is_config = kind == SSH_CONFIG or (not kind and OF_SSH.search(text) and not SECTION.search(text))
    found = list(hosts_of_config(path, text, notes) if is_config else hosts_of_inventory(path, text, notes))
    if not found:
        raise MachineError(f"{path} has no hosts with SSH", Hint("Name its kind: --from"))
    importer = Importer(notes, found, frozenset(machines))
    hosts = [importer.host(each) for each in found]
    heading = (f"Made of {path}, which was not changed. Check it, then: machinectl plan",)
    groups: dict[str, dict[str, Value]] = {
        as_group(name): {"labels": {as_group(name): ""}} for each in found for name in each.groups
    }
    draft = settled(Draft(heading, hosts, {DRIVER: load(DRIVER).options()}, groups), machines)
    values = {host.name: host.keys.values() for host in hosts}
    for line in draft.left_out:
        notes.lines[without_values(line, values.get(line.partition(" ")[0], ()))] = None
    return draft.text()


def contents(path: str) -> str:
    if os.path.isdir(path):
        return ""
    try:
        return read_file(path, LONGEST_FILE).decode("utf-8-sig", "replace")
    except (OSError, ValueError) as exc:
        why = f"{one_line(path)} cannot be read: {file_error(exc)}"
        raise MachineError(why, Hint("Name an inventory or an ssh_config")) from exc


def without_values(line: str, values: Iterable[Value]) -> str:
    """Hide values: an included file may contain secrets."""
    for value in values:
        line = line.replace(repr(value), "<value>")
    return line


def hosts_of_inventory(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    listed = printed_inventory(text) or ask_ansible(path)
    groups = groups_of_hosts(listed)
    for name in groups:
        variables = importable(name, listed["_meta"]["hostvars"].get(name, {}), notes)
        login = {key: last(variables, names) for key, names in VARIABLES.items()}
        if variables.get(CONNECTION, "") not in OVER_SSH:
            notes.add(f"{name} is left out: its {CONNECTION} is not SSH")
        elif login["address"] is None:
            notes.add(f"{name} is left out: only Ansible can tell its address")
        else:
            given = " ".join(variables.get(argument) or "" for argument in ARGUMENTS)
            jumps = JUMP_ARGUMENT.findall(given)
            if JUMP_ARGUMENT.sub("", given).strip():
                notes.add("further arguments of ssh are skipped")
            own = {key: value or "" for key, value in login.items()} | {"address": login["address"] or name}
            yield ImportedHost(name, **own, jump=jumps[-1] if jumps else "", groups=groups[name])


def printed_inventory(text: str) -> dict[str, Any] | None:
    """Return what `ansible-inventory --list` has printed into the file."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("_meta"), dict) else None


def ask_ansible(path: str) -> dict[str, Any]:
    """Ask Ansible for the hosts. Its own messages quote the file, which may hold secrets, and are not shown."""
    beside = os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)])
    program = shutil.which("ansible-inventory", path=beside)
    command = ["ansible-inventory", "-i", path, "--list"]
    into = Hint("Where Ansible is, print it, and import that", f"{shlex.join(command)} > inventory.json")
    if program is None:
        raise MachineError(f"Only Ansible can read {path}, and there is no ansible-inventory", into)
    # It refuses any other encoding.
    environment = {**os.environ, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "LC_ALL": "C.UTF-8"}
    done = run([program, *command[1:]], environment)
    if done.returncode:
        raise MachineError(f"{path}: this is neither an inventory that Ansible can read nor an ssh_config", into)
    return printed_inventory(done.stdout) or {"_meta": {"hostvars": {}}}


def run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def groups_of_hosts(listed: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return all hosts with their groups, those above included."""
    found: dict[str, dict[str, None]] = {}

    def add(group: str, above: tuple[str, ...]) -> None:
        own = above if group in {"all", "ungrouped"} or group in above else (*above, group)
        for name in listed.get(group, {}).get("hosts", ()):
            found.setdefault(name, {}).update(dict.fromkeys(own))
        for child in listed.get(group, {}).get("children", ()):
            add(child, own)

    add("all", ())
    return {name: tuple(groups) for name, groups in found.items()}


def importable(host: str, variables: dict[str, Any], notes: Notes) -> dict[str, str | None]:
    """Return Ansible's own variables as texts, None for those that only Ansible can read; note the others."""
    found: dict[str, str | None] = {}
    for name, value in variables.items():
        if name in IMPORTED:
            is_text = isinstance(value, str | int) and not TEMPLATE.search(str(value))
            found[name] = str(value) if is_text else None
            if not is_text:
                notes.add(f"{name} of {host} is skipped: it is a template or in Ansible's vault")
        elif name.startswith("ansible_"):
            notes.add(f"{name} is skipped")
    return found


def last(variables: dict[str, str | None], names: Sequence[str]) -> str | None:
    return next((variables[name] for name in reversed(names) if name in variables), "")


def hosts_of_config(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    """Yield the names in Host lines, without patterns, with what ssh makes of them."""
    names = list(dict.fromkeys(names_in(text)))
    for name in names:
        default = ssh_options(os.devnull, "host")
        own = {key: value for key, value in ssh_options(path, name).items() if default.get(key) != value}
        if own.get("user") == FORGE:
            notes.add(f"{name} is left out: the user {FORGE} is for a forge")
            continue
        if "proxycommand" in own:
            notes.add(f"ProxyCommand of {name} is skipped")
        key = own.get("identityfile", "")
        if "%" in key or "${" in key:
            notes.add(f"IdentityFile of {name} is skipped: only ssh can expand it")
            key = ""
        jump = own.get("proxyjump", "")
        if jump and "," not in jump and jump not in names:
            jump = login_of(ssh_options(path, f"ssh://{jump.removeprefix('ssh://')}"))
        address = name if own["hostname"] == name.lower() else own["hostname"]
        yield ImportedHost(name, address, own.get("user", ""), own.get("port", ""), key, jump)


def names_in(text: str, depth: int = 0) -> Iterator[str]:
    for keyword, line in OF_SSH.findall(text):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        if keyword.lower() == "host":
            yield from (word for word in words if not re.search(r"^-|[*?!]", word))
        elif keyword.lower() == "include" and depth < DEEPEST:
            # ssh looks for relative names in ~/.ssh.
            for pattern in words:
                for file in sorted(glob.glob(os.path.join(os.path.expanduser("~/.ssh"), os.path.expanduser(pattern)))):
                    if not os.path.isdir(file):
                        yield from names_in(contents(file), depth + 1)


@functools.cache
def ssh_options(path: str, host: str) -> dict[str, str]:
    """Ask ssh for a host's options; of several key files, for the first. Raises MachineError."""
    # A jump host has none of its own here: without that, ssh takes `Host *` with a ProxyJump for a loop.
    direct = ["-o", "ProxyJump=none"] if host.startswith("ssh://") else []
    command = ["ssh", "-F", os.path.abspath(path), *direct, "-G", "--", host]
    try:
        done = run(command)
    except OSError as exc:
        raise MachineError(
            f"Only ssh can read {path}, and there is no ssh", Hint("Install it", "apt install openssh-client")
        ) from exc
    if done.returncode:
        raise MachineError(f"ssh cannot read {path}", Hint("See why", shlex.join(command)))
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, value)
    return found


def login_of(options: dict[str, str]) -> str:
    host = f"[{options['hostname']}]" if ":" in options["hostname"] else options["hostname"]
    return f"{options['user']}@{host}{'' if options['port'] == SSH_PORT else ':' + options['port']}"


class Importer:
    """Makes entries of a fleet file. `names` are those of machines, by the hosts' own."""

    def __init__(self, notes: Notes, found: Sequence[ImportedHost], machines: frozenset[str]) -> None:
        self.notes = notes
        self.names: dict[str, str] = {}
        self.machines = machines
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
                notes.add(f"{each.name} is renamed to {name}: names have letters, digits, - and .")

    def host(self, each: ImportedHost) -> Described:
        keys: dict[str, Value] = {"ip-address": each.address}
        if each.user:
            keys["ssh-user"] = each.user
        if each.port.isascii() and each.port.isdecimal() and len(each.port) < 6:  # noqa: PLR2004 - digits of a port
            keys |= {} if each.port == SSH_PORT else {"ssh-port": int(each.port)}
        elif each.port:
            self.notes.add(f"the port of {each.name} is skipped: it is not a port number")
        if each.key:
            # Fleet files expand ~, too.
            beside = os.path.dirname(self.notes.path)
            keys["ssh-key"] = each.key if each.key.startswith("~") else os.path.abspath(os.path.join(beside, each.key))
        if each.groups:
            keys["groups"] = tuple(map(as_group, each.groups))
        if jump := self.jump(each):
            keys["ssh-jump"] = jump
        for key, value in list(keys.items()):
            if isinstance(value, str) and CONTROLS.search(value):
                self.notes.add(f"{key} of {each.name} is skipped: it contains a control character")
                del keys[key]
        return Described(self.names[each.name], DRIVER, keys)

    def jump(self, each: ImportedHost) -> str:
        jump = each.jump.removeprefix("ssh://").rstrip("/")
        jump = self.names.get(jump, jump)
        if not jump or jump == self.names[each.name] or jump.lower() == "none":
            return ""
        if "," not in jump and ("@" in jump or jump in {*self.names.values(), *self.machines}):
            return jump
        why = "there is more than one" if "," in jump else "write it as user@host[:port]"
        self.notes.add(f"the jump host of {each.name} is skipped: {why}")
        return ""


def as_group(text: str) -> str:
    """Return a name that is also a valid label."""
    return "".join(letter if letter.isprintable() and letter not in " =" else "-" for letter in text) or "-"


def as_name(text: str) -> str:
    name = "".join(letter if letter in NAME_CHARACTERS else "-" for letter in text).lstrip("-.")[:LONGEST_NAME]
    return name or "host"
