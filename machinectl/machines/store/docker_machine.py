"""docker-machine's store: where it is, and what belongs to it. Never written."""

from __future__ import annotations

import os

from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.atomic import quote_word
from machinectl.machines.store.store_paths import DOCKER_MACHINE_ROOT, StorePaths
from machinectl.machines.store.store_paths import default_root as own_root


def default_root() -> str:
    return os.path.expanduser(DOCKER_MACHINE_ROOT)


def old_machines(root: str) -> list[str]:
    """Return the machines of a store that docker-machine owns: both programs may share one."""
    store = StorePaths(root)
    try:
        return list(filter(store.is_docker_machines, store.names()))
    except MachineError:
        return []


def shared_certificates(root: str) -> str:
    return os.path.join(root, "certs")


def is_shared(directory: str) -> bool:
    """Return whether a directory has the certificates that all machines of docker-machine's store share."""
    root, last = os.path.split(os.path.realpath(directory))
    return last == "certs" and (bool(old_machines(root)) or root == os.path.realpath(default_root()))


def into_own_store(root: str) -> Hint:
    """Return how to import a shared docker-machine store."""
    command = f"machinectl -s {quote_word(own_root())} import --from-docker-machine {quote_word(root)}"
    if os.path.abspath(os.environ.get("MACHINE_STORAGE_PATH", "") or os.sep) == root:
        command = f"unset MACHINE_STORAGE_PATH; machinectl import --from-docker-machine {quote_word(root)}"
    return Hint("Import its machines into another store", command)


def check_apart(root: str) -> None:
    """Refuse docker-machine's store: its `rm` would delete our machines. Raises UsageError."""
    if old_machines(root) or os.path.lexists(os.path.join(shared_certificates(root), "ca-key.pem")):
        raise UsageError(
            f"{root} is docker-machine's store: its rm would delete a machine that machinectl keeps there",
            Hint("Choose another store", "machinectl --storage-path <DIR> ls") | into_own_store(root),
        )
