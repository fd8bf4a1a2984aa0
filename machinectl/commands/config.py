"""`config`: docker's flags for a machine."""

from __future__ import annotations

import os

from machinectl.docker_cli.docker_environment import docker_variables, engine_name
from machinectl.errors import Hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from machinectl.console import Console
    from machinectl.machines.store import Store

# They make an unquoted word a glob (POSIX shell, 2.14).
PATTERN = frozenset("*?[\\")


def config(
    store: Store, console: Console, names: Sequence[str], environment: Mapping[str, str], *, swarm: bool = False
) -> list[str]:
    """Return one flag per line, unquoted: shells keep quotes in command output, and so does docker from 29 on."""
    name = engine_name(store, names, swarm=swarm)
    variables = docker_variables(store, name)
    host = f"-H={variables['DOCKER_HOST']}"
    directory = variables["DOCKER_CERT_PATH"]
    if directory is None:
        if environment.get("DOCKER_TLS_VERIFY"):
            console.warn(
                "DOCKER_TLS_VERIFY is set here, and no flag turns it off", Hint("", "env -u DOCKER_TLS_VERIFY docker …")
            )
        return [host]
    if any(letter.isspace() or letter in PATTERN for letter in directory + host):
        console.warn(
            "a shell would split or expand these flags, which contain a blank or a pattern",
            Hint("Use instead", f"eval $(machinectl env {name})"),
        )
    files = {"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"}
    return ["--tlsverify", *(f"--{flag}={os.path.join(directory, file)}" for flag, file in files.items()), host]
