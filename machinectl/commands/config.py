"""`config`: the docker CLI's own flags for a machine, for `docker $(machinectl config NAME) ps`."""

from __future__ import annotations

import os

from machinectl.commands.naming import chosen_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.store import Store


def config(store: Store, names: Sequence[str]) -> list[str]:
    """One flag a line. The quotes reach docker as they are, and its flags take them off (docker/cli, QuotedString)."""
    machine = store.read(chosen_one(store, names))
    host = f"-H={machine.url}"
    if not machine.tls:
        return [host]
    directory = store.directory(machine.name)
    files = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
    return ["--tlsverify", *(f'--{flag}="{os.path.join(directory, file)}"' for flag, file in files.items()), host]
