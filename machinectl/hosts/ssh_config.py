"""STORE/ssh_config: what `~/.ssh/config` can include, so that whatever runs ssh knows the machines by their names.

It is there once it was asked for, and a machine's block in it follows the machine from then on.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from machinectl.atomic import Translated, read_file, replace_file
from machinectl.errors import MachineError, meant
from machinectl.hosts.by_ssh import block
from machinectl.hosts.driven import where
from machinectl.machines.jump_hosts import host_of
from machinectl.machines.record import Phase
from machinectl.machines.store import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from machinectl.console import Console
    from machinectl.machines.record import Machine
    from machinectl.machines.store import Store

FILE = "ssh_config"
# No machine's: those begin with a letter or a digit.
LOCK = ".ssh_config"
HEADER = "# machinectl's, kept in step with its machines. What is changed here is lost: ~/.ssh/config is the place.\n"
HOST = "Host "
PROXY = "ProxyCommand "
# In bytes: what some 20,000 machines take.
LONGEST = 16 << 20


def path_in(store: Store) -> str:
    return os.path.join(store.root, FILE)


def block_of(machine: Machine) -> str:
    """A machine's lines; none where it has no SSH. Raises MachineError where there is no saying."""
    return block(machine) if where(machine).ssh else ""


def write(store: Store, blocks: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Keep the blocks of machines, by their names, and no others; a machine that changes meanwhile waits.

    `blocks` is given those that the file has, none where it cannot be read.
    """
    store.make_directory(store.locks)
    with Lock(os.path.join(store.locks, LOCK)):
        try:
            before = parse(read_file(path_in(store), LONGEST))
        except OSError:
            before = {}
        replace_file(path_in(store), dump(blocks(before)))


def follow(store: Store, name: str, after: Machine | None) -> None:
    """Have the file say what became of a machine, which was held under a name (`Store`'s Follower).

    Raises MachineError where there is no saying, or no writing it.
    """
    with Lock(os.path.join(store.locks, LOCK)):
        with Translated(path_in(store)):
            blocks = parse(read_file(path_in(store), LONGEST))
        kept = {each: text for each, text in blocks.items() if each != name or store.exists(name)}
        if after and is_known(after):
            kept[after.name] = block_of(after)
            kept.update(led_through(store, after.name, kept))
        if kept != blocks:
            replace_file(path_in(store), dump(kept))


def tell_of_the_way(store: Store, console: Console, machine: Machine) -> None:
    """Say what a person may not know of a machine's jump host that was just asked for."""
    host = host_of(machine.jump)
    if host and (near := meant(host, store.names())):
        console.note(
            f'"{host}" is no machine, but a host as ssh knows it. Where "{near}" is meant: '
            f"machinectl set --ssh-jump {near} {machine.name}"
        )
    # docker tells its ssh an address alone.
    if machine.jump and machine.url.startswith("ssh://") and not os.path.exists(path_in(store)):
        console.note(
            f'docker goes to "{machine.name}" by ssh, which knows of its jump host by your configuration alone\n'
            "Have it there: machinectl ssh-config --write"
        )


def led_through(store: Store, name: str, blocks: Mapping[str, str]) -> dict[str, str]:
    """The blocks of machines that a machine may lead to: they tell of its key, and of where it is, too.

    One that there is no saying of now is left out.
    """
    found = {}
    for other in [each for each, text in blocks.items() if PROXY in text and each != name]:
        with suppress(MachineError):
            found[other] = block_of(store.read(other))
    return found


def is_known(machine: Machine) -> bool:
    """Whether there is any saying where a machine is yet."""
    return machine.phase is not Phase.CREATING


def parse(text: bytes) -> dict[str, str]:
    """The blocks by the names of their machines, as `dump` has written them."""
    blocks: dict[str, str] = {}
    name = ""
    for line in text.decode(errors="surrogateescape").splitlines(keepends=True):
        if line.startswith(HOST):
            name, *_ = line.removeprefix(HOST).split() or [""]
            blocks[name] = ""
        if name:
            blocks[name] += line
    return blocks


def dump(blocks: dict[str, str]) -> bytes:
    return "".join([HEADER, *(blocks[name] for name in sorted(blocks) if blocks[name])]).encode(
        errors="surrogateescape"
    )
