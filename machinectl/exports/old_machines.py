"""Read machines of docker-machine's store; never write it.

STORE/certs/ has the common CA and client certificate; STORE/machines/NAME/ has copies, the server's pair and the SSH
key. config.json is libmachine/host/host.go; the fields read here are alike in all versions (migrate_v1_v2.go,
migrate_v2_v3.go).
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machinectl.errors import Hint
from machinectl.files.atomic import StoreError, open_without_waiting, read_file
from machinectl.machines.docker_machine import default_root, directory_of, is_store, machine_directories
from machinectl.machines.record import BrokenRecord, is_name
from machinectl.machines.store.store_paths import DOCKER_MACHINE_RECORD, RECORD
from machinectl.url import HIGHEST_PORT

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

VERSIONS = (1, 2, 3)
# In bytes: records have thousands, the longest SSH key (RSA, 16384 bits) 12,000.
LONGEST = 1 << 20
LONGEST_KEY = 1 << 16
PRIVATE_KEY = re.compile(
    rb"(?:^|\n)-----BEGIN (?:\w+ )?PRIVATE KEY-----\s.*\n-----END (?:\w+ )?PRIVATE KEY-----", re.DOTALL
)
PUBLIC_KEY = re.compile(rb"(?:ssh-|ecdsa-|sk-)[\w@.-]+ [A-Za-z0-9+/]+={0,2}(?: [^\n]*)?\n?")
# The default key name (libmachine/drivers/base.go).
USUAL_KEY = "id_rsa"
# Characters; no printed text comes near.
LONGEST_TEXT = 4096
FIELD_KINDS = {str: "text of one line", tuple: "list of texts", int: "port"}
# In bytes: the limit of file systems.
LONGEST_FILE_NAME = 255


def usual_root() -> str:
    """Prefer docker-machine's variable, which is also ours, if it names its store."""
    named = os.environ.get("MACHINE_STORAGE_PATH", "")
    return os.path.abspath(named) if named and is_store(named) else default_root()


def old_machine_names(root: str) -> list[str]:
    """Return all machines that are not ours. Raises StoreError for other directories."""
    place = os.path.join(root, "machines")
    try:
        os.listdir(place)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        hint = Hint("Name the directory that holds certs and machines; see", "ls -la", root)
        raise StoreError(f"{root} is not a store of docker-machine: {place}: {reason}", hint) from exc
    return [
        name
        for name in machine_directories(root)
        if not os.path.lexists(os.path.join(directory_of(root, name), RECORD))
    ]


@dataclass(frozen=True)
class OldMachine:
    """A recorded machine.

    `url` is the engine of driver none, `address` the host of others, `key` the SSH key's recorded path. `labels` to
    `install_url` are engine options (libmachine/engine/engine.go, libmachine/auth/auth.go), `others` names unsupported
    ones.
    """

    name: str
    driver: str
    url: str = ""
    address: str = ""
    user: str = ""
    port: int = 0
    key: str = ""
    engine_port: int = 0
    labels: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    tls_sans: tuple[str, ...] = ()
    storage_driver: str = ""
    install_url: str = ""
    others: tuple[str, ...] = ()
    in_swarm: bool = False


def read_old_machine(root: str, name: str) -> OldMachine:
    """Read a record. Raises BrokenRecord, or StoreError without permission."""
    if not is_name(name):
        raise BrokenRecord(
            f"The machine {name!r} in docker-machine's store has an invalid name",
            Hint("Look at what it is", "ls -la", os.path.join(root, "machines")),
        )
    path = os.path.join(directory_of(root, name), DOCKER_MACHINE_RECORD)
    try:
        data = json.loads(read_file(path, LONGEST))
    except FileNotFoundError as exc:
        raise broken_config(name, "is missing") from exc
    except PermissionError as exc:
        raise StoreError(f"Cannot read {path}: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    except OSError as exc:
        raise broken_config(name, f"cannot be read ({exc.strerror})") from exc
    except (ValueError, RecursionError) as exc:
        raise broken_config(name, f"is not JSON ({exc})") from exc
    try:
        return old_machine(name, data)
    except Odd as exc:
        raise broken_config(name, str(exc)) from exc


class Odd(ValueError):
    """Not a docker-machine record; the text says why."""


def old_machine(name: str, data: Any) -> OldMachine:
    """Convert a record's JSON. Raises Odd."""
    record = as_object(data, "config.json")
    version = record.get("ConfigVersion")
    if version not in VERSIONS or type(version) is not int:
        known = "docker-machine 0.2 to 0.16 write 1, 2 or 3"
        raise Odd(f"has the ConfigVersion {json.dumps(version)[:40]}; {known}")
    driver = as_object(record.get("Driver"), "Driver")
    options = as_object(record.get("HostOptions") or {}, "HostOptions")
    engine = as_object(options.get("EngineOptions") or {}, "EngineOptions")
    auth = as_object(options.get("AuthOptions") or {}, "AuthOptions")
    swarm = as_object(options.get("SwarmOptions") or {}, "SwarmOptions")
    called = read_field(record, "DriverName", str)
    if not called:
        raise Odd('has no "DriverName"')
    written = read_field(driver, "MachineName", str) or name
    if written != name:
        raise Odd(f'is that of the machine "{written}"')
    return OldMachine(
        name,
        called,
        url=read_field(driver, "URL", str),
        address=read_field(driver, "IPAddress", str),
        user=read_field(driver, "SSHUser", str),
        port=read_field(driver, "SSHPort", int),
        key=read_field(driver, "SSHKeyPath", str),
        engine_port=read_field(driver, "EnginePort", int),
        labels=read_field(engine, "Labels", tuple),
        options=read_field(engine, "ArbitraryFlags", tuple),
        env=read_field(engine, "Env", tuple),
        insecure_registries=read_field(engine, "InsecureRegistry", tuple),
        registry_mirrors=read_field(engine, "RegistryMirror", tuple),
        tls_sans=read_field(auth, "ServerCertSANs", tuple),
        storage_driver=read_field(engine, "StorageDriver", str),
        install_url=read_field(engine, "InstallURL", str),
        others=tuple(key for key in ("Dns", "GraphDir", "Ipv6", "LogLevel", "SelinuxEnabled") if engine.get(key)),
        in_swarm=bool(swarm.get("IsSwarm")),
    )


def as_object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Odd(f"has a {what} that is not a JSON object")
    return value


def read_field(data: Mapping[str, Any], key: str, kind: type) -> Any:
    """Return a value, the kind's empty one for null or a missing key. Raises Odd."""
    value = data.get(key)
    if value is None:
        return kind()
    if kind is tuple and isinstance(value, list) and all(map(is_line, value)):
        return tuple(value)
    if (kind is str and is_line(value)) or (kind is int and type(value) is int and 0 <= value <= HIGHEST_PORT):
        return value
    raise Odd(f'has a "{key}" that is no {FIELD_KINDS[kind]}')


def is_line(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT


def broken_config(name: str, what: str) -> BrokenRecord:
    return BrokenRecord(
        f'docker-machine\'s config.json of "{name}" {what}',
        Hint("Restore it from a backup; or register its host by hand", "machinectl create <USER>@<ADDRESS>", name),
    )


def old_ssh_key(root: str, old: OldMachine) -> dict[str, bytes]:
    """Return the SSH key as "", and its public half, if any, as ".pub".

    Looks in the machine's directory, then at the recorded path. {} if driver generic uses the user's keys. Raises
    StoreError.
    """
    directory = directory_of(root, old.name)
    if not old.key and old.driver == "generic" and not os.path.lexists(os.path.join(directory, USUAL_KEY)):
        return {}
    path = key_path(root, old)
    # The user's files; for root, also those of the store's owner.
    owners = set() if os.name == "nt" else {os.geteuid()}
    if owners == {0}:
        owners.add(os.stat(root).st_uid)
    try:
        key = read_own(path, owners)
    except OSError as exc:
        raise StoreError(
            f"its SSH key {path} cannot be read: {exc.strerror}", Hint("See", "ls -l", os.path.dirname(path))
        ) from exc
    if not PRIVATE_KEY.search(key):
        raise StoreError(f"its SSH key {path} is not a private key", Hint("See", "ls -l", os.path.dirname(path)))
    try:
        public = read_own(f"{path}.pub", owners)
    except OSError:
        public = b""
    return {"": key, **({".pub": public} if PUBLIC_KEY.fullmatch(public) else {})}


def key_path(root: str, old: OldMachine) -> str:
    directory = directory_of(root, old.name)
    last = re.split(r"[/\\]", old.key)[-1] or USUAL_KEY
    is_file_name = last not in {os.curdir, os.pardir} and len(os.fsencode(last)) <= LONGEST_FILE_NAME
    places = [os.path.join(directory, last)] if is_file_name else []
    if os.path.isabs(old.key):
        places.append(old.key)
    return next((place for place in places if os.path.lexists(place)), (places or [directory])[0])


def read_own(path: str, owners: Container[int]) -> bytes:
    """Read a regular file. Raises OSError for others, without opening them."""
    # Opening a device may have effects: check before. Check again after, as the file may have been replaced.
    check_own(os.stat(path), path, owners)
    with open(path, "rb", opener=open_without_waiting) as file:
        check_own(os.fstat(file.fileno()), path, owners)
        # read() returns None if it would block, as for some files in /proc.
        data = file.read(LONGEST_KEY + 1) or b""
    if len(data) > LONGEST_KEY:
        raise OSError(errno.EFBIG, f"It has more than {LONGEST_KEY >> 10} KB", path)
    return data


def check_own(found: os.stat_result, path: str, owners: Container[int]) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", path)
    if os.name != "nt" and found.st_uid not in owners:
        raise OSError(errno.EPERM, "It is another user's", path)
