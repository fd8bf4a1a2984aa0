"""Convert an Ansible inventory or an ssh_config to a fleet file; Ansible and ssh themselves read theirs."""

from __future__ import annotations

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
from machinectl.files.user_files import file_error
from machinectl.fleet.draft import Described, Draft, settled
from machinectl.fleet.yaml_nodes import LONGEST_FILE
from machinectl.machines.jump_hosts import HOST
from machinectl.machines.record import LONGEST_NAME, NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.fleet.draft import Value

DRIVER = "generic"
SSH_CONFIG = "ssh-config"
KINDS = ("ansible", SSH_CONFIG)
# Lines of an ssh_config; an inventory may have a host of that name, with variables of Ansible's.
OF_SSH = re.compile(
    r"^[^\S\n]*(Host|Match|Include)[^\S\n=]*[\s=][^\S\n]*(?!ansible_)(\S.*)$", re.MULTILINE | re.IGNORECASE
)
SECTION = re.compile(r"^\s*\[[^\]\n]+\]\s*$", re.MULTILINE)
# OpenSSH's (readconf.c, READCONF_MAX_DEPTH).
DEEPEST = 16
SSH_PORT = 22
# By keys of fleet files. The last one that is set wins, as in Ansible.
VARIABLES = {
    "ip-address": ("ansible_host", "ansible_ssh_host"),
    "ssh-user": ("ansible_user", "ansible_ssh_user"),
    "ssh-port": ("ansible_port", "ansible_ssh_port"),
    "ssh-key": ("ansible_private_key_file", "ansible_ssh_private_key_file"),
}
# By keys of fleet files.
OPTIONS = {"ip-address": "hostname", "ssh-user": "user", "ssh-port": "port", "ssh-key": "identityfile"}
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONNECTION = "ansible_connection"
IMPORTED = frozenset({CONNECTION, *ARGUMENTS, *(name for names in VARIABLES.values() for name in names)})
OVER_SSH = frozenset({"", "ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
TEMPLATE = re.compile(r"\{[{%#]")
JUMP_ARGUMENT = re.compile(r"(?:-J\s*|-o\s*[\"']?ProxyJump[\s=]+)([^\s\"']+)", re.IGNORECASE)


@dataclass(frozen=True)
class ImportedHost:
    """`keys` are those of fleet files. `jump` is ProxyJump's value: [user@]host[:port], comma-separated."""

    name: str
    keys: dict[str, str]
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
    imported = list(hosts_of_config(path, text, notes) if is_config else hosts_of_inventory(path, text, notes))
    if not imported:
        raise MachineError(f"{path} has no hosts with SSH", Hint("Name its kind: --from"))
    names = machine_names(imported, notes)
    hosts = [described(host, names, notes) for host in imported]
    heading = (f"Made of {path}, which was not changed. Check it, then: machinectl plan",)
    groups: dict[str, dict[str, Value]] = {
        as_group(name): {"labels": {as_group(name): ""}} for host in imported for name in host.groups
    }
    draft = settled(Draft(heading, hosts, {DRIVER: load(DRIVER).options()}, groups), machines)
    values = {host.name: host.keys.values() for host in hosts}
    for line in draft.left_out:
        # An included file may contain secrets.
        for value in values.get(line.partition(" ")[0], ()):
            line = line.replace(repr(value), "<value>")  # noqa: PLW2901 - the same line, without them
        notes.lines[line] = None
    return draft.text()


def contents(path: str) -> str:
    if os.path.isdir(path):
        return ""
    try:
        return read_file(path, LONGEST_FILE).decode("utf-8-sig", "replace")
    except (OSError, ValueError) as exc:
        why = f"{one_line(path)} cannot be read: {file_error(exc)}"
        raise MachineError(why, Hint("Name an inventory or an ssh_config")) from exc


def hosts_of_inventory(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    listed = printed_inventory(text) or ask_ansible(path)
    for name, groups in groups_of_hosts(listed).items():
        variables = importable(name, listed["_meta"]["hostvars"].get(name, {}), notes)
        keys = {
            key: next((variables[variable] for variable in reversed(names) if variable in variables), "")
            for key, names in VARIABLES.items()
        }
        arguments = " ".join(variables.get(argument) or "" for argument in ARGUMENTS)
        if variables.get(CONNECTION, "") not in OVER_SSH:
            notes.add(f"{name} is left out: its {CONNECTION} is not SSH")
        elif keys["ip-address"] is None:
            notes.add(f"{name} is left out: only Ansible can tell its address")
        else:
            if JUMP_ARGUMENT.sub("", arguments).strip():
                notes.add("further arguments of ssh are skipped")
            jumps = JUMP_ARGUMENT.findall(arguments)
            login = {"ip-address": name} | {key: value for key, value in keys.items() if value}
            yield ImportedHost(name, login, jumps[-1] if jumps else "", groups)


def printed_inventory(text: str) -> dict[str, Any] | None:
    """Return what `ansible-inventory --list` has printed into the file."""
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return listed if isinstance(listed, dict) and isinstance(listed.get("_meta"), dict) else None


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
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "errors": "replace"}
    return subprocess.run(command, env=environment, check=False, **quiet)


def groups_of_hosts(listed: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return all hosts with their groups, those above included."""
    groups: dict[str, dict[str, None]] = {}

    def add(group: str, above: tuple[str, ...]) -> None:
        own = above if group in {"all", "ungrouped"} or group in above else (*above, group)
        for name in listed.get(group, {}).get("hosts", ()):
            groups.setdefault(name, {}).update(dict.fromkeys(own))
        for child in listed.get(group, {}).get("children", ()):
            add(child, own)

    add("all", ())
    return {name: tuple(names) for name, names in groups.items()}


def importable(host: str, variables: dict[str, Any], notes: Notes) -> dict[str, str | None]:
    """Return Ansible's own variables as texts, None for those that only Ansible can read; note the others."""
    texts: dict[str, str | None] = {}
    for name, value in variables.items():
        if name in IMPORTED:
            is_text = isinstance(value, str | int) and not TEMPLATE.search(str(value))
            texts[name] = str(value) if is_text else None
            if not is_text:
                notes.add(f"{name} of {host} is skipped: it is a template or in Ansible's vault")
        elif name.startswith("ansible_"):
            notes.add(f"{name} is skipped")
    return texts


def hosts_of_config(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    """Yield the names in Host lines, without patterns, with what ssh makes of them."""
    default = ssh_options(path, os.devnull, "host")
    for name in dict.fromkeys(names_in(text)):
        options = {key: value for key, value in ssh_options(path, path, name).items() if default.get(key) != value}
        if "proxycommand" in options:
            notes.add(f"ProxyCommand of {name} is skipped")
        key = options.get("identityfile", "")
        if "%" in key or "${" in key:
            notes.add(f"IdentityFile of {name} is skipped: only ssh can expand it")
            options["identityfile"] = ""
        if options["hostname"] == name.lower():
            options["hostname"] = name
        keys = {key: options[option] for key, option in OPTIONS.items() if options.get(option)}
        yield ImportedHost(name, keys, options.get("proxyjump", ""))


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
                    yield from names_in(contents(file), depth + 1)


def ssh_options(path: str, config: str, host: str) -> dict[str, str]:
    """Ask ssh for a host's options; of several key files, for the first. `path` is for errors. Raises MachineError."""
    command = ["ssh", "-F", os.path.abspath(config), "-G", "--", host]
    try:
        done = run(command)
    except OSError as exc:
        install = Hint("Install it", "apt install openssh-client")
        raise MachineError(f"Only ssh can read {path}, and there is no ssh", install) from exc
    if done.returncode:
        raise MachineError(f"ssh cannot read {path}", Hint("See why", shlex.join(command)))
    options: dict[str, str] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        options.setdefault(keyword, value)
    return options


def machine_names(imported: Sequence[ImportedHost], notes: Notes) -> dict[str, str]:
    """Return valid and unique names by the hosts' own."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for host in imported:
        name = first = as_name(host.name)
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{first}-{number}"
        taken.add(name.lower())
        names[host.name] = name
        if name != host.name:
            notes.add(f"{host.name} is renamed to {name}: names have letters, digits, - and .")
    return names


def described(host: ImportedHost, names: dict[str, str], notes: Notes) -> Described:
    keys: dict[str, Value] = dict(host.keys)
    key, port = host.keys.get("ssh-key", ""), host.keys.get("ssh-port", "")
    if key and not key.startswith("~"):
        keys["ssh-key"] = os.path.abspath(os.path.join(os.path.dirname(notes.path), key))
    if port.isdecimal():
        keys["ssh-port"] = int(port)
    if keys.get("ssh-port") == SSH_PORT:
        del keys["ssh-port"]
    if host.groups:
        keys["groups"] = tuple(map(as_group, host.groups))
    jump = host.jump.removeprefix("ssh://").rstrip("/")
    if "," in jump:
        notes.add(f"the jump host of {host.name} is skipped: there is more than one")
    elif jump not in {"", "none", host.name}:
        keys["ssh-jump"] = names.get(jump) or f"{HOST}{jump}"
    return Described(names[host.name], DRIVER, keys)


def as_group(text: str) -> str:
    """Return a name that is also a valid label."""
    return "".join(letter if letter.isprintable() and letter not in " =" else "-" for letter in text) or "-"


def as_name(text: str) -> str:
    name = "".join(letter if letter in NAME_CHARACTERS else "-" for letter in text).lstrip("-.")[:LONGEST_NAME]
    return name or "host"
