"""Where docker-machine's store is, and what belongs to it. Never written."""

from __future__ import annotations

import os

from machinectl.errors import Hint, UsageError
from machinectl.machines.record import natural
from machinectl.machines.store.store_paths import DOCKER_MACHINE_RECORD, DOCKER_MACHINE_ROOT, RECORD, into_own_store


def default_root() -> str:
    return os.path.expanduser(DOCKER_MACHINE_ROOT)


def is_store(root: str) -> bool:
    return any(is_its_own(root, name) for name in machine_directories(root))


def is_its_own(root: str, name: str) -> bool:
    """Return whether docker-machine owns a machine's directory; both programs may share a store."""
    directory = directory_of(root, name)
    is_theirs = os.path.lexists(os.path.join(directory, DOCKER_MACHINE_RECORD))
    return is_theirs and not os.path.lexists(os.path.join(directory, RECORD))


def machine_directories(root: str) -> list[str]:
    try:
        with os.scandir(os.path.join(root, "machines")) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except (OSError, ValueError):
        return []
    return sorted(names, key=lambda name: (natural(name), name))


def directory_of(root: str, name: str) -> str:
    return os.path.join(root, "machines", name)


def shared_certificates(root: str) -> str:
    return os.path.join(root, "certs")


def is_shared(directory: str) -> bool:
    """Return whether a directory has the certificates that all machines of docker-machine's store share."""
    root, last = os.path.split(os.path.realpath(directory))
    return last == "certs" and (is_store(root) or root == os.path.realpath(default_root()))


def check_apart(root: str) -> None:
    """Refuse docker-machine's store: its `rm` would delete our machines. Raises UsageError."""
    if not (is_store(root) or os.path.lexists(os.path.join(shared_certificates(root), "ca-key.pem"))):
        return
    again = Hint("Give the same command again, without --storage-path")
    if os.path.abspath(os.environ.get("MACHINE_STORAGE_PATH", "") or os.sep) == root:
        again = Hint("Give the same command again, after", "unset MACHINE_STORAGE_PATH")
    raise UsageError(
        f"{root} is docker-machine's store: its rm would delete a machine that machinectl keeps there",
        again | Hint("or import docker-machine's machines", into_own_store(root)),
    )
