"""Errors about names: unknown and taken ones, missing records, and how to create the first machine."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError, closest_match
from machinectl.machines import record
from machinectl.machines.store import docker_machine
from machinectl.machines.store.store_paths import NoSuchMachine, StorePaths

# docker-machine's line goes on so (libmachine/mcnerror); scripts match it.
MORE = '. Use "{0} ls" to list machines. Use "{0} create" to add a new one.'


def no_such_machine(store: StorePaths, name: str) -> NoSuchMachine:
    if record.GLOB.intersection(name):
        error = NoSuchMachine(f'"{name}" matches no machine', list_or_first_steps(store))
        error.unexplained = bool(store.names())
        return error
    if store.removed.exists(name):
        return missing(
            name,
            Hint("It was removed, but its host still has the changes made on it")
            | Hint("undo them", "machinectl rm --purge", name)
            | Hint("or forget them", "machinectl rm --forget", name),
        )
    old = docker_machine.default_root()
    if name in docker_machine.old_machines(old):
        return missing(name, Hint("docker-machine has it. Import it", "machinectl import --from-docker-machine", old))
    # web3 is another server than web2, not a mistyped one.
    digits = [*filter(str.isdigit, name)]
    others = (each for each in store.names() if [*filter(str.isdigit, each)] == digits and each not in store.words())
    near = closest_match(name, others)
    if not store.names():
        return missing(name, first_steps(name if record.is_name(name) else "<NAME>"))
    error = missing(name, Hint(f'Did you mean "{near}"?') if near else list_or_first_steps(store))
    error.mistyped = (name, near) if near else None
    error.guesses, error.unexplained = bool(near), not near
    return error


def missing(name: str, hint: Hint) -> NoSuchMachine:
    error = NoSuchMachine(f'Docker machine "{name}" does not exist', hint, for_scripts=True)
    error.more = MORE
    return error


def list_or_first_steps(store: StorePaths) -> Hint:
    return Hint("List the machines", "machinectl ls") if store.names() else first_steps("<NAME>")


def without_record(store: StorePaths, name: str) -> MachineError:
    if not os.path.isdir(store.directory(name)):
        return no_such_machine(store, name)
    if store.is_docker_machines(name):
        return record.BrokenRecord(
            f'Machine "{name}" belongs to docker-machine; machinectl does not change it',
            docker_machine.into_own_store(store.root),
        )
    return record.broken_record(name, "is missing")


def ways_to_create(name: str = "<NAME>") -> Hint:
    return Hint("Set up a server over SSH", "machinectl create <USER>@<HOST>", name) | Hint(
        "register an engine that runs", "machinectl create tcp://<HOST>:2376", name
    )


def first_steps(name: str = "<NAME>") -> Hint:
    """Return two ways to a first machine, for docker-machine's users first the import of theirs."""
    if docker_machine.old_machines(docker_machine.default_root()):
        old = Hint("Import docker-machine's machines", "machinectl import --from-docker-machine")
        return old | Hint("set up a server over SSH", "machinectl create <USER>@<HOST>", name)
    return ways_to_create(name)


def name_taken(store: StorePaths, name: str) -> MachineError | None:
    """Return the error for a taken name, else None. macOS ignores case."""
    other = next((other for other in store.names() if other.lower() == name.lower()), "")
    if not other and not os.path.lexists(store.directory(name)):
        return None
    why = f' as "{other}"; names that differ in case only are the same' if other not in {"", name} else ""
    hint = Hint("Choose another name") | Hint("see what that one is", "machinectl ls", other or name)
    return MachineError(f'Docker machine "{name}" already exists{why}', hint, for_scripts=True)
