"""The engine at which the docker CLI points now: $DOCKER_HOST, else the current context, else the local socket.

Format: docker/cli, cli/context/store (doc.go, metadatastore.go). ID is the name's SHA-256.

DOCKER_CONFIG/config.json                 the current context
DOCKER_CONFIG/contexts/meta/ID/meta.json  a context's name, metadata, endpoints
DOCKER_CONFIG/contexts/tls/ID/docker/     ca.pem, cert.pem, key.pem
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.engine.endpoint import Endpoint
from machinectl.errors import Hint, MachineError, UsageError
from machinectl.files.atomic import quote_word, read_file
from machinectl.files.user_directories import check_home_known
from machinectl.json_values import as_dict, as_text
from machinectl.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL = "~/.docker"
# Nothing can be there: it has no contexts and no settings.
NOWHERE = os.path.join(os.devnull, ".docker")
DEFAULT_URL = "unix:///var/run/docker.sock"
# The context for no context, and the endpoint of an engine (cli/context/docker/constants.go).
DEFAULT, ENDPOINT = "default", "docker"
META_FILE = "meta.json"
KEYS = {"name": "Name", "metadata": "Metadata", "endpoints": "Endpoints"}


class ContextError(MachineError):
    """docker's contexts cannot be read or written."""


class Current(NamedTuple):
    """`by` is a variable, config.json, or "" (default)."""

    name: str
    by: str = ""


def docker_directory(environment: Mapping[str, str]) -> str:
    """Return NOWHERE for a user without a home directory (cli/config/config.go: Dir)."""
    if given := environment.get("DOCKER_CONFIG"):
        return os.path.abspath(given)
    usual = os.path.expanduser(USUAL)
    return NOWHERE if usual == USUAL else os.path.abspath(usual)


def check_docker_directory(directory: str) -> None:
    """Raise MachineError for NOWHERE, before anything is written."""
    if directory == NOWHERE:
        check_home_known(USUAL, Hint("Set HOME, or name docker's directory", "export DOCKER_CONFIG=<DIR>"))


def context_place(config: str, kind: str, name: str) -> str:
    """Return a context's directory; `kind` is meta or tls."""
    return os.path.join(config, "contexts", kind, hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest())


def read_meta(path: str) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path))
    except OSError as exc:
        raise ContextError(f"{path} cannot be read: {exc.strerror}", Hint("See", "ls -l", path)) from exc
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ContextError(f"{path} is not a context", Hint(f"See what it holds, or remove it: {quote_word(path)}"))
    # encoding/json accepts the keys of structures in any case.
    return {KEYS.get(str(key).lower(), str(key)): value for key, value in document.items()}


def chosen_context(config: str) -> str:
    """Return the choice of `docker context use`, or ""."""
    try:
        return as_text(as_dict(json.loads(read_file(os.path.join(config, "config.json")))).get("currentContext"))
    except (OSError, ValueError, RecursionError):
        return ""


def current_context(config: str, environment: Mapping[str, str]) -> Current:
    """It may not exist (cli/command/cli.go: resolveContextName)."""
    if environment.get("DOCKER_HOST"):
        return Current(DEFAULT, "DOCKER_HOST")
    if name := environment.get("DOCKER_CONTEXT"):
        return Current(name, "DOCKER_CONTEXT")
    name = chosen_context(config)
    return Current(name, "config.json") if name else Current(DEFAULT)


def current_engine(environment: Mapping[str, str]) -> Endpoint:
    """Raise MachineError for a context that is missing or does not verify its engine."""
    config = docker_directory(environment)
    current = current_context(config, environment)
    if current.by == "DOCKER_HOST":
        try:
            parse_url(environment["DOCKER_HOST"])
        except UsageError as exc:
            raise UsageError(f"DOCKER_HOST: {exc.cause}", exc.hint | Hint("or", "unset DOCKER_HOST")) from exc
        verifies = bool(environment.get("DOCKER_TLS_VERIFY"))
        directory = os.path.abspath(environment.get("DOCKER_CERT_PATH") or config)
        return Endpoint(environment["DOCKER_HOST"], tls=verifies, cert_dir=directory if verifies else "")
    return Endpoint(DEFAULT_URL) if current.name == DEFAULT else context_engine(config, current)


def context_engine(config: str, current: Current) -> Endpoint:
    path = os.path.join(context_place(config, "meta", current.name), META_FILE)
    document = read_meta(path) if os.path.lexists(path) else {}
    engine = as_dict(as_dict(document.get("Endpoints")).get(ENDPOINT))
    if not as_text(engine.get("Host")):
        raise MachineError(
            f'docker\'s context "{current.name}" does not exist ({current.by})',
            Hint("Choose another", "docker context ls"),
        )
    if engine.get("SkipTLSVerify"):
        raise MachineError(
            f"docker's context \"{current.name}\" does not verify its engine's certificate",
            Hint("Choose another context", "docker context ls"),
        )
    directory = os.path.join(context_place(config, "tls", current.name), ENDPOINT)
    tls = os.path.isdir(directory) and bool(os.listdir(directory))
    return Endpoint(engine["Host"], tls=tls, cert_dir=directory if tls else "", name=current.name)
