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
from machinectl.fleet.new_fleet import Described, Draft, settled
from machinectl.fleet.yaml_nodes import LONGEST_FILE
from machinectl.machines.jump_hosts import HOST
from machinectl.machines.record import LONGEST_NAME, NAME_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from machinectl.fleet.new_fleet import Value

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
# Ansible's variables by keys of fleet files; each also has an older name with ssh_ in it.
VARIABLES = {"ip-address": "host", "ssh-user": "user", "ssh-port": "port", "ssh-key": "private_key_file"}
# ssh's options by keys of fleet files.
OPTIONS = {"ip-address": "hostname", "ssh-user": "user", "ssh-port": "port", "ssh-key": "identityfile"}
ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONNECTION = "ansible_connection"
IMPORTED = frozenset(
    {CONNECTION, *ARGUMENTS, *(f"ansible_{old}{name}" for name in VARIABLES.values() for old in ("", "ssh_"))}
)
OVER_SSH = frozenset({"", "ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
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
    text = "" if os.path.isdir(path) else contents(path)
    is_config = kind == SSH_CONFIG or (not kind and OF_SSH.search(text) and not SECTION.search(text))
    imported = list(hosts_of_config(path, text, notes) if is_config else hosts_of_inventory(path, text, notes))
    if not imported:
        raise MachineError(f"{path} has no hosts with SSH", Hint("Name its kind: --from"))
    names: dict[str, str] = {}
    for host in imported:
        names[host.name] = unused_name(host.name, {name.lower() for name in names.values()})
        if names[host.name] != host.name:
            notes.add(f"{host.name} is renamed to {names[host.name]}: names have letters, digits, - and .")
    hosts = [described(host, names, notes) for host in imported]
    heading = (f"Made of {path}, which was not changed. Check it, then: machinectl plan",)
    groups: dict[str, dict[str, Value]] = {
        as_group(name): {"labels": {as_group(name): ""}} for host in imported for name in host.groups
    }
    draft = settled(Draft(heading, hosts, {DRIVER: load(DRIVER).options()}, groups), machines)
    notes.lines.update(dict.fromkeys(draft.left_out))
    return draft.text()


def contents(path: str) -> str:
    try:
        return read_file(path, LONGEST_FILE).decode("utf-8-sig", "replace")
    except (OSError, ValueError) as exc:
        why = f"{one_line(path)} cannot be read: {file_error(exc)}"
        raise MachineError(why, Hint("Name an inventory or an ssh_config")) from exc


def hosts_of_inventory(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    """Yield the hosts that can be reached by SSH; note what is Ansible's own, and is skipped."""
    listed = printed_inventory(text) or ask_ansible(path)
    for name, groups in groups_of_hosts(listed).items():
        variables = listed["_meta"]["hostvars"].get(name, {})
        for variable in variables:
            if variable.startswith("ansible_") and variable not in IMPORTED:
                notes.add(f"{variable} is skipped")
        keys = {
            key: variables.get(f"ansible_ssh_{of}", variables.get(f"ansible_{of}")) for key, of in VARIABLES.items()
        }
        unclear = [key for key, value in keys.items() if not is_plain(value)]
        if str(variables.get(CONNECTION, "")) not in OVER_SSH:
            notes.add(f"{name} is left out: its {CONNECTION} is not SSH")
            continue
        if "ip-address" in unclear:
            notes.add(f"{name} is left out: only Ansible can tell its address")
            continue
        for key in unclear:
            notes.add(f"{key} of {name} is skipped: it is a template or in Ansible's vault")
        arguments = " ".join(str(variables.get(argument, "")) for argument in ARGUMENTS)
        if JUMP_ARGUMENT.sub("", arguments).strip():
            notes.add("further arguments of ssh are skipped")
        login = {key: str(value) for key, value in keys.items() if value and key not in unclear}
        jump = JUMP_ARGUMENT.findall(arguments)[-1:]
        yield ImportedHost(name, {"ip-address": name} | login, "".join(jump), groups)


def is_plain(value: object) -> bool:
    """Return whether a variable's value is no template, and not in Ansible's vault."""
    return value is None or (isinstance(value, str | int) and not re.search(r"\{[{%#]", str(value)))


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


def hosts_of_config(path: str, text: str, notes: Notes) -> Iterator[ImportedHost]:
    """Yield the names in Host lines, without patterns, with what ssh makes of them."""
    default = ssh_options(path, os.devnull, "host")
    for name in dict.fromkeys(names_in(text)):
        options = {key: value for key, value in ssh_options(path, path, name).items() if default.get(key) != value}
        if "proxycommand" in options:
            notes.add(f"ProxyCommand of {name} is skipped")
        if re.search(r"%|\$\{", options.get("identityfile", "")):
            notes.add(f"IdentityFile of {name} is skipped: only ssh can expand it")
            options["identityfile"] = ""
        # ssh prints the name in lower case.
        if options["hostname"] == name.lower():
            options["hostname"] = name
        keys = {key: options[option] for key, option in OPTIONS.items() if options.get(option)}
        yield ImportedHost(name, keys, options.get("proxyjump", ""))


def names_in(text: str, depth: int = 0) -> Iterator[str]:
    for keyword, line in OF_SSH.findall(text):
        if keyword.lower() == "host":
            words = line.partition("#")[0].replace('"', " ").split()
            yield from (word for word in words if not re.search(r"^-|[*?!]", word))
        elif keyword.lower() == "include" and depth < DEEPEST:
            # ssh looks for relative names in ~/.ssh.
            for pattern in line.split():
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
    # The first one counts.
    return dict(line.split(" ", 1) for line in reversed(done.stdout.splitlines()) if " " in line)


def described(host: ImportedHost, names: dict[str, str], notes: Notes) -> Described:
    keys: dict[str, Value] = dict(host.keys)
    key, port = host.keys.get("ssh-key", ""), host.keys.get("ssh-port", "")
    if key and not key.startswith("~"):
        keys["ssh-key"] = os.path.abspath(os.path.join(os.path.dirname(notes.path), key))
    if port.isdecimal():
        keys["ssh-port"] = int(port)
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


def unused_name(text: str, taken: set[str]) -> str:
    """Return a name that a machine can have, and that is not `taken` in any case."""
    name = "".join(letter if letter in NAME_CHARACTERS else "-" for letter in text).lstrip("-.")[:LONGEST_NAME]
    number, unused = 1, name or "host"
    while unused.lower() in taken:
        number += 1
        unused = f"{name}-{number}"
    return unused
