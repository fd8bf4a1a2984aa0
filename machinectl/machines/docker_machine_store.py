"""Machines that docker-machine keeps (libmachine/host/host.go): read for what a person types to have them here."""

from __future__ import annotations

import json
import os
from typing import Any

from machinectl import url as engine_url
from machinectl.atomic import quoted, read_file
from machinectl.errors import MachineError

RECORD = "config.json"
# Its records have a few thousand bytes.
LONGEST = 1 << 20
CLIENT = ("ca.pem", "cert.pem", "key.pem")


def registering(directory: str) -> str:
    """The command that registers the engine of one of its machines here; what it does not say is left open."""
    url = url_of(directory)
    url, files = quoted(url) if url else "<URL>", quoted(certificates(directory))
    return f"machinectl create -d none --url {url} --tls-dir {files} <NEW-NAME>"


def url_of(directory: str) -> str:
    """Where the engine is, "" where the record does not say, or says what is none."""
    try:
        said: Any = json.loads(read_file(os.path.join(directory, RECORD), LONGEST))["Driver"]
        host = str(said.get("URL") or said.get("IPAddress") or "")
        return str(engine_url.parse(engine_url.with_port(host if "://" in host else f"tcp://{host}", tls=True)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MachineError):
        return ""


def certificates(directory: str) -> str:
    """Where its client's certificates are: with the machine, or with its store, as its driver none has it."""
    if all(os.path.exists(os.path.join(directory, name)) for name in CLIENT):
        return directory
    return os.path.join(os.path.dirname(os.path.dirname(directory)), "certs")
