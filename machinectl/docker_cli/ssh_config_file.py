"""Keep STORE/ssh_config current, for `Include` in `~/.ssh/config`.

`ssh-config --write` creates it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from machinectl.errors import MachineError
from machinectl.files.atomic import Translated, read_file, replace_file
from machinectl.hosts.ssh_config import machine_host_block, ssh_config_path
from machinectl.machines.machine_driver import endpoints_of
from machinectl.machines.record import Phase
from machinectl.machines.store.store_directory import make_directory
from machinectl.machines.store.store_paths import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

# Not a machine's lock: machine names begin with a letter or digit.
LOCK = ".ssh_config"
HEADER = "# machinectl's, kept in step with its machines. What is changed here is lost: ~/.ssh/config is the place.\n"
STORE = "# It is about the machines of "
HOST = "Host "
PROXY = "ProxyCommand "
# Bytes: room for some 20,000 machines.
LONGEST = 16 << 20


def block_of(machine: Machine) -> str:
    """Return "" without SSH. Raises MachineError."""
    return machine_host_block(machine) if endpoints_of(machine).ssh else ""


def write_ssh_config(store: Store, warn: Callable[[str], None]) -> None:
    """Write all blocks. Machine changes wait."""
    make_directory(store, store.locks)
    with Lock(os.path.join(store.locks, LOCK)):
        try:
            before = parse_ssh_config(read_file(ssh_config_path(store), LONGEST))
        except OSError:
            before = {}
        replace_file(ssh_config_path(store), render_ssh_config(store, all_blocks(store, warn, before)))


def rewrite_outdated(store: Store) -> None:
    """Rewrite the file for another path of the store."""
    path = ssh_config_path(store)
    if not os.access(path, os.W_OK) or is_current(store):
        return
    make_directory(store, store.locks)
    with Lock(os.path.join(store.locks, LOCK)):
        with Translated(path):
            before = parse_ssh_config(read_file(path, LONGEST))
        replace_file(path, render_ssh_config(store, all_blocks(store, lambda _: None, before)))


def is_current(store: Store) -> bool:
    """Return True also if it is unreadable."""
    try:
        text = read_file(ssh_config_path(store), LONGEST).decode(errors="surrogateescape")
    except OSError:
        return True
    head = text.partition(f"\n{HOST}")[0].splitlines()
    return f"{STORE}{os.path.realpath(store.root)!r}" in head


def all_blocks(
    store: Store, warn: Callable[[str], None], before: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """An unreadable machine keeps its old block."""
    found = {}
    for name in store.names():
        try:
            machine = store.read(name)
            found[name] = block_of(machine) if has_address(machine) else ""
        except MachineError as exc:
            if store.is_docker_machines(name):
                continue
            found[name] = before.get(name, "")
            warn(f"{name} {'keeps its previous entry' if found[name] else 'is left out'}: {exc.cause}")
    return {name: text for name, text in found.items() if text}


def update_ssh_config(store: Store, name: str, after: Machine | None) -> None:
    """Update one machine's block (`Store`'s Follower)."""
    with Lock(os.path.join(store.locks, LOCK)):
        with Translated(ssh_config_path(store)):
            blocks = parse_ssh_config(read_file(ssh_config_path(store), LONGEST))
        kept = {each: text for each, text in blocks.items() if each != name or store.exists(name)}
        if after and has_address(after):
            kept[after.name] = block_of(after)
            kept.update(blocks_behind_jump_host(store, after.name, kept))
        if kept != blocks:
            replace_file(ssh_config_path(store), render_ssh_config(store, kept))


def blocks_behind_jump_host(store: Store, name: str, blocks: Mapping[str, str]) -> dict[str, str]:
    """Return new blocks of machines behind `name`, which hold its key and address."""
    found = {}
    for other in [each for each, text in blocks.items() if PROXY in text and each != name]:
        with suppress(MachineError):
            found[other] = block_of(store.read(other))
    return found


def has_address(machine: Machine) -> bool:
    return machine.phase != Phase.CREATING


def parse_ssh_config(text: bytes) -> dict[str, str]:
    blocks: dict[str, str] = {}
    name = ""
    for line in text.decode(errors="surrogateescape").splitlines(keepends=True):
        if line.startswith(HOST):
            name, *_ = line.removeprefix(HOST).split() or [""]
            blocks[name] = ""
        if name:
            blocks[name] += line
    return blocks


def render_ssh_config(store: Store, blocks: Mapping[str, str]) -> bytes:
    lines = [HEADER, f"{STORE}{os.path.realpath(store.root)!r}\n", *(blocks[name] for name in sorted(blocks))]
    return "".join(lines).encode(errors="surrogateescape")
