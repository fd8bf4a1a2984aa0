"""Make a fleet file to edit: of existing machines, of hosts that `discover` found, or of an inventory."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from machinectl import url as engine_url
from machinectl.driver.installed_drivers import load
from machinectl.errors import MachineError, UsageError, one_line
from machinectl.fleet.fleet_file import DEFAULT_FILE, parse_fleet
from machinectl.fleet.fleet_keys import ENGINE, FLEET, FLEET_NAME, LONGEST_FLEET_NAME, settings_of
from machinectl.fleet.yaml_nodes import WrongFile
from machinectl.machines.create_options import ENV_FILE, NO_TLS
from machinectl.machines.record import is_name
from machinectl.machines.selection import matching
from machinectl.masking import without_secret_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from machinectl.console import Console
    from machinectl.discovery.scan import FoundHost
    from machinectl.discovery.services import FoundService
    from machinectl.driver import Option, OptionValue
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

    # A key's value; mappings are labels.
    Value = OptionValue | Mapping[str, str]


# The option that `set --url` changes, for all drivers.
URL = "url"
HEADING = (
    "The machines of this fleet, and their settings.",
    "",
    "machinectl plan shows what differs, and machinectl apply changes it. A host's own settings win over those of",
    "its groups, and these win over the defaults. Keys are the options of machinectl create; an editor completes them",
    "from what machinectl fleet schema prints.",
)
TEMPLATE = """
# machinectl finds the fleet's machines by this name, wherever the file is.
fleet: @NAME@

#defaults:
#  driver: generic
#  ssh-user: ops
#  ssh-key: ~/.ssh/id_ed25519

# To use an example, remove its # and the {}.
hosts: {}
# A server that machinectl sets up over SSH:
#  orionbox: ops@192.168.0.29
# An engine that is already set up, and the directory with its certificates:
#  nas: {driver: none, url: "tcp://192.168.0.40:2376", tls-dir: certs/nas, labels: {role: store}}
"""
LONGEST_COMMENT = 300


@dataclass(frozen=True)
class Described:
    """A host. Omits default values. Remarks become comments."""

    name: str
    driver: str
    keys: Mapping[str, Value] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A file to write. `options` are by driver. `left_out` are remarks on missing hosts."""

    heading: Sequence[str]
    hosts: Sequence[Described]
    options: Mapping[str, Sequence[Option]]
    groups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    name: str = ""

    def text(self) -> str:
        defaults = shared_settings(self.hosts, self.options)
        return "".join(f"{line}\n" for line, _ in self.lines(defaults))

    def lines(self, defaults: Mapping[str, Value]) -> list[tuple[str, str]]:
        """Return lines with their hosts, or "" for none."""
        lines = [comment(line) for line in self.heading]
        if self.name:
            lines += ["", *yaml_lines({FLEET: self.name})]
        if defaults:
            lines += ["", "defaults:", *yaml_lines(defaults, 2)]
        if self.groups:
            lines += ["", "groups:"]
        for name, keys in self.groups.items():
            lines += block_lines(name, keys)
        lines += ["", "hosts:" if self.hosts else "hosts: {}"]
        marked = [(line, "") for line in lines]
        for host in self.hosts:
            keys = {"driver": host.driver, **host.keys}
            own = {key: value for key, value in keys.items() if (key, value) not in defaults.items()}
            marked += [(comment(remark, 2), "") for remark in host.remarks]
            marked += [(line, host.name) for line in block_lines(host.name, own)]
        return [*marked, *((comment(remark, 2), "") for remark in self.left_out)]


def settled(draft: Draft, machines: Collection[str]) -> Draft:
    """Remove hosts that no file can have; add remarks. Raises WrongFile for other errors.

    `machines` are the store's.
    """
    while True:
        # Without defaults, each error is in the line of a host.
        lines = draft.lines({})
        try:
            parse_fleet("".join(f"{line}\n" for line, _ in lines).encode(), DEFAULT_FILE, machines, {})
        except WrongFile as wrong:
            reasons: dict[str, str] = {}
            for place, why in wrong.faults:
                reasons.setdefault(lines[place.line - 1][1], why)
            if "" in reasons:
                raise
            hosts = [host for host in draft.hosts if host.name not in reasons]
            remarks = (f"{name} is left out: {why}" for name, why in reasons.items())
            draft = replace(draft, hosts=hosts, left_out=(*draft.left_out, *remarks))
        else:
            return draft


def shared_settings(hosts: Sequence[Described], options: Mapping[str, Sequence[Option]]) -> dict[str, Value]:
    """Return the most frequent driver, and the options that all hosts of a driver have alike.

    A default applies to all hosts whose driver has the option.
    """
    counted = Counter(host.driver for host in hosts)
    defaults: dict[str, Value] = {"driver": counted.most_common(1)[0][0]} if hosts else {}
    for name, count in counted.items():
        elsewhere = {option.shown for other in counted if other != name for option in options[other]}
        for option in options[name]:
            values = [host.keys.get(option.shown) for host in hosts if host.driver == name]
            is_shared = count > 1 and all(value == values[0] for value in values)
            if is_shared and values[0] is not None and not option.required and option.shown not in elsewhere:
                defaults[option.shown] = values[0]
    return defaults


def block_lines(name: str, keys: Mapping[str, Value]) -> Iterator[str]:
    first, *_ = yaml_lines({name: {}}, 2)
    yield first.removesuffix(" {}") if keys else first
    yield from yaml_lines(keys, 4)


def yaml_lines(keys: Mapping[str, Value], indent: int = 0) -> Iterator[str]:
    """Yield lines that read as the very same texts; lists and labels are in brackets."""
    for key, value in keys.items():
        is_bracketed = value and not isinstance(value, str | int)
        style: dict[str, Any] = {"default_flow_style": None if is_bracketed else False, "sort_keys": False}
        text = yaml.safe_dump({key: escaped(value)}, width=math.inf, **style)
        yield from (" " * indent + line for line in text.removesuffix("\n").split("\n"))


def escaped(value: Any) -> Any:
    """Escape the $ of values."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, tuple):
        return [*map(escaped, value)]
    return {key: escaped(text) for key, text in value.items()} if isinstance(value, dict) else value


def comment(remark: str, indent: int = 0) -> str:
    return f"{' ' * indent}# {one_line(remark, LONGEST_COMMENT)}".rstrip() if remark else ""


def fleet_init(store: Store, console: Console, names: Sequence[str], directory: str = "") -> str:
    """Return a file for which `plan` finds no changes, of the given machines or all; without any, an example.

    Settings that a file cannot hold become comments and warnings.
    """
    names = matching(names, store.names)
    for name in names:
        store.check_exists(name)
    hosts: list[Described] = []
    options: dict[str, Sequence[Option]] = {}
    remarks = []
    fleets = {machine.name: machine.fleet for machine in store.readable()}
    chosen = list(dict.fromkeys(names)) or store.names()
    for name in chosen:
        try:
            machine = store.read_ready(name)
            if machine.driver not in options:
                options[machine.driver] = load(machine.driver).options()
            hosts.append(machine_entry(machine, options[machine.driver]))
        except MachineError as exc:
            remarks.append(f"{name} is left out: {exc.cause}. {exc.hint}")
    own = sorted({fleets[name] for name in chosen if FLEET_NAME.fullmatch(fleets.get(name, ""))})
    fleet = own[0] if len(own) == 1 else unused_fleet_name(directory, set(fleets.values()))
    if not chosen:
        return "".join(f"{comment(line)}\n" if line else "#\n" for line in HEADING) + TEMPLATE.replace("@NAME@", fleet)
    draft = settled(Draft(HEADING, hosts, options, left_out=tuple(remarks), name=fleet), store.names())
    remarks = [f"{host.name}: {remark}" for host in draft.hosts for remark in host.remarks]
    for remark in (*remarks, *draft.left_out):
        console.warn(remark)
    if missing := [name for name, of in fleets.items() if of == fleet and name not in chosen]:
        console.warn(f"the fleet {fleet} has more machines, which plan would remove: {', '.join(missing)}")
    return draft.text()


def unused_fleet_name(directory: str, taken: Collection[str]) -> str:
    """Derive an unused name from the directory."""
    called = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(os.path.abspath(directory))).strip("._-")
    called = called[: LONGEST_FLEET_NAME - 5].lower() or "fleet"
    numbered = (f"{called}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([called], numbered) if name not in taken)


def machine_entry(machine: Machine, options: Sequence[Option]) -> Described:
    """Return the entry for which `plan` has nothing to do.

    `options` are the driver's. Only remarks name secrets.
    """
    keys: dict[str, Value] = {}
    remarks: list[str] = []
    home = os.path.join(os.path.expanduser("~"), "")
    for option in options:
        value = machine.spec.options.get(option.name, option.default)
        if option.name == URL and machine.url:
            value = machine.url
        if option.secret:
            remarks.append(f"{option.shown}-file is needed to create it again")
        elif value != option.default:
            # Others can use ~, too.
            in_home = option.path and isinstance(value, str) and value.startswith(home)
            keys[option.shown] = f"~/{str(value).removeprefix(home)}" if in_home else value
    settings = settings_of(machine, machine.engine)
    with suppress(UsageError):
        settings[NO_TLS.name] = not machine.tls and engine_url.uses_tls(machine.url)
    engine = {key.name for key in ENGINE.values()}
    for key, value in settings.items():
        kept = without_secret_items(key, value, remarks) if key in engine else value
        # The defaults of all these settings are empty.
        if kept:
            keys[key] = kept
    labels = {key: value for key, value in machine.labels.items() if without_secret_of(key, value) == value}
    remarks += [f"a secret is left out: the label {key}" for key in machine.labels if key not in labels]
    if labels:
        keys["labels"] = labels
    return Described(machine.name, machine.driver, keys, tuple(remarks))


def without_secret_items(key: str, value: OptionValue, remarks: list[str]) -> OptionValue:
    if not isinstance(value, tuple):
        return value
    hint = f": put it into a file, {ENV_FILE.name}" if key == "engine-env" else ""
    shown = {item: without_secrets(item) for item in value}
    remarks += [f"a secret is left out{hint}: {key} {text}" for item, text in shown.items() if text != item]
    return tuple(item for item in value if shown[item] == item)


DISCOVERED_HEADING = (
    "Hosts that discover found by SSH, and that are not machines yet. Set ssh-user and ssh-key in",
    "defaults. Compare the keys with those of the hosts before the first apply.",
)


def new_hosts(hosts: Sequence[FoundHost], names: Collection[str]) -> tuple[list[Described], list[str]]:
    """Return fleet entries for new hosts, and remarks on hosts without SSH."""
    # It loads TLS, which `fleet init` does not need.
    from machinectl.discovery.services import SpokenProtocol

    described: list[Described] = []
    left_out: list[str] = []
    taken = set(names)
    for host in hosts:
        if host.machines:
            continue
        # Prefer the host's own short name.
        name = host.name.partition(".")[0]
        if not is_name(name) or name.isdecimal() or name in taken:
            name = "host-" + "".join(letter if letter.isalnum() else "-" for letter in host.address)
        taken.add(name)
        services = host.in_order()
        remarks = [remark for service in services if (remark := engine_remark(host.address, name, service))]
        ssh = next((service for service in services if service.speaks is SpokenProtocol.SSH), None)
        if ssh:
            shown = " ".join(filter(None, (host.name, ssh.said, str(ssh.key or ""))))
            described.append(Described(name, "generic", {"ip-address": host.address}, (shown, *remarks)))
        else:
            left_out += remarks
    return described, left_out


def engine_remark(address: str, name: str, service: FoundService) -> str:
    """Return "" for other services."""
    if not service.is_engine:
        return ""
    url = engine_url.EngineURL("tcp", host=address, port=service.port)
    if service.is_open:
        return f"WARNING: whoever reaches {url} is root on its host: close it. {name}: {{driver: none, url: {url}}}"
    return f"It has an engine: {name}: {{driver: none, url: {url}, tls-dir: DIRECTORY}}, with its certificates there"


def fleet_text(found: Sequence[Described], left_out: Sequence[str]) -> str:
    return Draft(DISCOVERED_HEADING, found, {"generic": load("generic").options()}, left_out=tuple(left_out)).text()
