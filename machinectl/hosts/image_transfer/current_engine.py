"""The engine that docker points at now."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from machinectl.docker_cli.contexts import DEFAULT, ENDPOINT, Contexts
from machinectl.engine import Endpoint
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_URL = "unix:///var/run/docker.sock"


def current_engine(environment: Mapping[str, str], contexts: Contexts) -> Endpoint:
    """Return where the docker CLI would connect: $DOCKER_HOST, else the current context, else the local socket.

    Raises MachineError, also for a context that does not verify its engine.
    """
    chosen = contexts.current(environment)
    if chosen.by == "DOCKER_HOST":
        try:
            parse_url(environment["DOCKER_HOST"])
        except UsageError as exc:
            raise UsageError(f"DOCKER_HOST: {exc.cause}", exc.hint | Hint("or", "unset DOCKER_HOST")) from exc
        verifies = bool(environment.get("DOCKER_TLS_VERIFY"))
        directory = environment.get("DOCKER_CERT_PATH") or contexts.config
        return Endpoint(
            environment["DOCKER_HOST"], tls=verifies, cert_dir=os.path.abspath(directory) if verifies else ""
        )
    if chosen.name == DEFAULT:
        return Endpoint(DEFAULT_URL)
    context = contexts.read(chosen.name)
    if context is None or not context.host:
        raise MachineError(
            f'docker\'s context "{chosen.name}" does not exist ({chosen.by})',
            Hint("Choose another", "docker context ls"),
        )
    if context.skips_verification:
        raise MachineError(
            f"docker's context \"{chosen.name}\" does not verify its engine's certificate",
            Hint("Choose another source", "machinectl push --from <NAME> <IMAGE>")
            | Hint("list the machines", "machinectl ls"),
        )
    directory = os.path.join(contexts.place("tls", chosen.name), ENDPOINT)
    tls = bool(context.files)
    return Endpoint(context.host, tls=tls, cert_dir=directory if tls else "", name=chosen.name)
