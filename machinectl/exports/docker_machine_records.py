"""Read machines of docker-machine's store, and convert them to driver none or generic; never write the store.

STORE/certs/ has the common CA and client certificate; STORE/machines/NAME/ has copies, the server's pair and the SSH
key. config.json is libmachine/host/host.go; the fields read here are alike in all versions (migrate_v1_v2.go,
migrate_v2_v3.go).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl import url as engine_url
from machinectl.errors import NO_HINT, Hint, MachineError, UsageError, one_line
from machinectl.files.atomic import StoreError, read_file
from machinectl.machines.config_json import Origin
from machinectl.machines.engine_options import EngineOptions, is_variable
from machinectl.machines.record import BrokenRecord, Machine
from machinectl.machines.spec import MachineSpec
from machinectl.machines.store import Store
from machinectl.machines.store.docker_machine import default_root, old_machines
from machinectl.machines.store.store_paths import DOCKER_MACHINE_RECORD, RECORD
from machinectl.provision import daemon_json
from machinectl.provision.target import INSTALL_URL
from machinectl.url import HIGHEST_PORT, TLS_PORT, EngineURL

if TYPE_CHECKING:
    from collections.abc import Mapping

# In bytes: records have thousands, the longest SSH key (RSA, 16384 bits) 12,000.
LONGEST, LONGEST_KEY = 1 << 20, 1 << 16
# docker-machine's defaults (libmachine/drivers/base.go).
USER, SSH_PORT, USUAL_KEY = "root", 22, "id_rsa"
# The key's file name in a machine's directory (drivers/machinectl_generic).
KEY_FILE = "id_ssh"
# Characters; no printed text comes near.
LONGEST_TEXT = 4096
FIELD_KINDS = {str: "text of one line", tuple: "list of texts", int: "port"}


class Remark(NamedTuple):
    text: str
    hint: Hint = NO_HINT


class OtherDriver(MachineError):
    """Only docker-machine can manage the host."""


@dataclass
class Conversion:
    """`key` is the recorded path of the SSH key, `files` are contents by file name."""

    machine: Machine
    key: str
    remarks: list[Remark]
    files: dict[str, bytes] = field(default_factory=dict)


def usual_root() -> str:
    """Prefer docker-machine's variable, which is also ours, if it names its store."""
    named = os.environ.get("MACHINE_STORAGE_PATH", "")
    return os.path.abspath(named) if named and old_machines(named) else default_root()


def old_machine_names(root: str) -> list[str]:
    """Return all machines that are not ours. Raises StoreError for other directories."""
    store = Store(root)
    if not os.path.isdir(store.machines):
        raise StoreError(
            f"{root} is not a store of docker-machine: it has no directory machines",
            Hint("Name the directory that holds certs and machines; see", "ls -la", root),
        )
    return [name for name in store.names() if not os.path.lexists(os.path.join(store.directory(name), RECORD))]


def converted_machine(root: str, name: str) -> Conversion:
    """Raise MachineError, StoreError if it cannot be read."""
    path = os.path.join(Store(root).directory(name), DOCKER_MACHINE_RECORD)
    try:
        return convert(root, name, json.loads(read_file(path, LONGEST)))
    except OSError as exc:
        raise StoreError(f"Cannot read {path}: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    except (UsageError, ValueError, RecursionError) as exc:
        why = exc.cause if isinstance(exc, UsageError) else one_line(str(exc))
        raise BrokenRecord(
            f'docker-machine\'s config.json of "{name}" cannot be used: {why}',
            Hint("Restore it from a backup; or register its host by hand", "machinectl create <USER>@<ADDRESS>", name),
        ) from exc


def convert(root: str, name: str, data: Any) -> Conversion:
    """Convert a record's JSON. Raises ValueError, MachineError, or UsageError for a wrong address."""
    record = as_object(data, "config.json")
    state = as_object(record.get("Driver"), "Driver")
    options = as_object(record.get("HostOptions") or {}, "HostOptions")
    engine = as_object(options.get("EngineOptions") or {}, "EngineOptions")
    auth = as_object(options.get("AuthOptions") or {}, "AuthOptions")
    driver = read_field(record, "DriverName", str)
    if driver not in {"none", "generic"}:
        raise OtherDriver(
            f'"{name}" is skipped: docker-machine\'s driver {driver} made its host',
            Hint("If you reach it by SSH, register it", "machinectl create <USER>@<ADDRESS>", name),
        )
    machine = generic_machine(name, state) if driver == "generic" else none_machine(name, state)
    kept, remarks = engine_options(engine, auth)
    pairs = (label.partition("=") for label in read_field(engine, "Labels", tuple))
    labels = {key: value for key, _, value in pairs if key.strip()}
    machine.spec = MachineSpec(machine.driver, machine.options, machine.tls, labels, kept)
    machine.origin = Origin(os.path.realpath(root), name, driver).dump()
    return Conversion(machine, read_field(state, "SSHKeyPath", str), remarks)


def none_machine(name: str, state: Mapping[str, Any]) -> Machine:
    if not (url := read_field(state, "URL", str)):
        raise MachineError(
            f'docker-machine\'s record of "{name}" has no address of the engine',
            Hint("If you know it", "machinectl create -d none --url <URL>", name),
        )
    url = engine_url.with_port(url, tls=True)
    machine = Machine(name, "none", url=url, tls=engine_url.uses_tls(url))
    machine.driver_state, machine.options = json.dumps({"URL": url}), {"url": url}
    return machine


def generic_machine(name: str, state: Mapping[str, Any]) -> Machine:
    """Keep a state that resembles docker-machine's."""
    user, port = read_field(state, "SSHUser", str) or USER, read_field(state, "SSHPort", int) or SSH_PORT
    address = str(read_field(state, "IPAddress", str)).removeprefix("[").removesuffix("]")
    engine_port = read_field(state, "EnginePort", int) or TLS_PORT
    if not address:
        raise MachineError(
            f'docker-machine\'s record of "{name}" has no address',
            Hint("If you know it", "machinectl create", f"{user}@<ADDRESS>", name),
        )
    url = str(EngineURL("tcp", host=address, port=engine_port))
    for place in (url, str(EngineURL("ssh", user=user, host=address, port=port))):
        engine_url.parse_url(place)
    machine = Machine(name, "generic", url=url, tls=True)
    kept = {"IPAddress": address, "SSHUser": user, "SSHPort": port, "EnginePort": engine_port}
    machine.driver_state = json.dumps({**kept, "SSHKeyPath": KEY_FILE})
    options = ("generic-ip-address", "generic-ssh-user", "generic-ssh-port", "generic-engine-port")
    machine.options = dict(zip(options, (address, user, port, engine_port), strict=True))
    return machine


def engine_options(engine: Mapping[str, Any], auth: Mapping[str, Any]) -> tuple[EngineOptions, list[Remark]]:
    """Return the options, and what is not imported (libmachine/engine/engine.go, libmachine/auth/auth.go)."""
    options, env = read_field(engine, "ArbitraryFlags", tuple), read_field(engine, "Env", tuple)
    install_url = read_field(engine, "InstallURL", str)
    kept = EngineOptions(
        options=tuple(option for option in options if is_option(option)),
        env=tuple(variable for variable in env if is_variable(variable)),
        insecure_registries=read_field(engine, "InsecureRegistry", tuple),
        registry_mirrors=read_field(engine, "RegistryMirror", tuple),
        tls_sans=read_field(auth, "ServerCertSANs", tuple),
        storage_driver=read_field(engine, "StorageDriver", str),
        install_url="" if install_url == INSTALL_URL else install_url,
    )
    left = [f"--engine-opt {option}" for option in options if option not in kept.options]
    # The value may be a password.
    left += [f"--engine-env {variable.partition('=')[0]}" for variable in env if variable not in kept.env]
    return kept, [Remark(f"not imported, and unchanged on the host: {', '.join(left)}")] if left else []


def is_option(option: str) -> bool:
    try:
        daemon_json.option_keys([option], {})
    except UsageError:
        return False
    return True


def as_object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"its {what} is not a JSON object")  # noqa: TRY004 (worded by the caller, as JSON's errors)
    return value


def read_field(data: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return a value, the kind's empty one for null or a missing key. Raises ValueError."""
    value = data.get(key)
    if value is None:
        return kind()
    if kind is tuple and isinstance(value, list) and all(map(is_line, value)):
        return tuple(value)
    if (kind is str and is_line(value)) or (kind is int and type(value) is int and 0 <= value <= HIGHEST_PORT):
        return value
    raise ValueError(f'its "{key}" is no {FIELD_KINDS[kind]}')


def is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT


def read_ssh_key(path: str) -> bytes:
    """Return a private key, b"" for anything else."""
    try:
        # Opening a device may have effects: check before.
        key = read_file(path, LONGEST_KEY) if os.path.isfile(path) else b""
    except (OSError, ValueError):
        return b""
    return key if b"-----BEGIN " in key and b"PRIVATE KEY-----" in key else b""


def key_path(root: str, name: str, recorded: str) -> str:
    """Return where the SSH key is: in the machine's directory, else where it was recorded."""
    last = re.split(r"[/\\]", recorded)[-1] or USUAL_KEY
    own = os.path.join(Store(root).directory(name), last)
    return recorded if os.path.isabs(recorded) and not os.path.lexists(own) and os.path.lexists(recorded) else own
