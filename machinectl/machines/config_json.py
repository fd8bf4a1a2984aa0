"""A machine as docker-machine's config.json, for templates and scripts.

Unlike there, secrets are masked: output ends up in logs.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from machinectl import url as engine_url
from machinectl.errors import MachineError
from machinectl.masking import without_secrets
from machinectl.value_classes import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from machinectl.machines.record import Machine

# The store version of docker-machine v0.16.2, libmachine/host/host.go.
CONFIG_VERSION = 3
INSTALL_URL = "https://get.docker.com"

# docker-machine's values outside of a Swarm (libmachine/swarm/swarm.go, commands/create.go).
SWARM_OPTIONS: dict[str, Any] = {
    "IsSwarm": False,
    "Address": "",
    "Discovery": "",
    "Agent": False,
    "Master": False,
    "Host": "tcp://0.0.0.0:3376",
    "Image": "swarm:latest",
    "Strategy": "spread",
    "Heartbeat": 0,
    "Overcommit": 0,
    "ArbitraryFlags": [],
    "ArbitraryJoinFlags": [],
    "Env": None,
    "IsExperimental": False,
}


class Origin(Frozen):
    """The docker-machine machine that a machine was imported from: its store's path, name and driver."""

    store: str
    name: str
    driver: str

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Origin | None:
        parts = [each for key in ("store", "name", "driver") if isinstance(each := data.get(key), str)]
        return cls(*parts) if len(parts) == 3 else None  # noqa: PLR2004 - all of them

    def dump(self) -> dict[str, Any]:
        return {"store": self.store, "name": self.name, "driver": self.driver}


def config_json(machine: Machine, directory: str) -> dict[str, Any]:
    directory = os.path.abspath(directory)
    return {
        "ConfigVersion": CONFIG_VERSION,
        "Driver": driver(machine, directory),
        "DriverName": machine.driver,
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": engine_options(machine),
            "SwarmOptions": SWARM_OPTIONS,
            # libmachine/auth/auth.go; our machines have their own CAs.
            "AuthOptions": {
                "CertDir": directory,
                "CaCertPath": os.path.join(directory, "ca.pem"),
                "CaPrivateKeyPath": os.path.join(directory, "ca-key.pem"),
                "CaCertRemotePath": "",
                "ServerCertPath": os.path.join(directory, "server.pem"),
                "ServerKeyPath": os.path.join(directory, "server-key.pem"),
                "ClientKeyPath": os.path.join(directory, "key.pem"),
                "ServerCertRemotePath": "",
                "ServerKeyRemotePath": "",
                "ClientCertPath": os.path.join(directory, "cert.pem"),
                "ServerCertSANs": list(machine.engine.tls_sans),
                "StorePath": directory,
            },
        },
        "Name": machine.name,
    }


def driver(machine: Machine, directory: str) -> dict[str, Any]:
    """Return the fields of libmachine/drivers/base.go and the state."""
    state, address = without_secrets(driver_state(machine) or {}), ""
    with suppress(MachineError):
        address = engine_url.parse_url(machine.url).host
    fields = {
        "IPAddress": address,
        "MachineName": machine.name,
        "SSHUser": "",
        "SSHPort": 0,
        "SSHKeyPath": "",
        "StorePath": os.path.dirname(os.path.dirname(directory)),
        "SwarmMaster": False,
        "SwarmHost": "",
        "SwarmDiscovery": "",
        "URL": without_secrets(machine.url),
        **state,
    }
    key = fields["SSHKeyPath"]
    if key and isinstance(key, str):
        fields["SSHKeyPath"] = os.path.join(directory, key)
    if "SSHKeyPath" in state:
        # docker-machine's drivers/generic has the given key here, we its copy.
        fields.setdefault("SSHKey", fields["SSHKeyPath"])
    if "MAC" in state:
        # If no MAC address was given, the host's was read.
        fields["MAC"] = state["MAC"] or machine.mac
    return fields


def driver_state(machine: Machine) -> dict[str, Any] | None:
    """Return the state if it is a JSON object, as ours and docker-machine's."""
    try:
        state = json.loads(machine.driver_state)
        # Refuse infinity and NaN, which JSON does not have (RFC 8259 6).
        json.dumps(state, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) else None


def engine_options(machine: Machine) -> dict[str, Any]:
    """docker-machine's libmachine/engine/engine.go."""
    engine = machine.engine
    return {
        "ArbitraryFlags": without_secrets(engine.options),
        "Dns": None,
        "GraphDir": "",
        "Env": without_secrets(engine.env),
        "Ipv6": False,
        "InsecureRegistry": list(engine.insecure_registries),
        "Labels": [f"{key}={value}" for key, value in machine.labels.items()],
        "LogLevel": "",
        "StorageDriver": engine.storage_driver,
        "SelinuxEnabled": False,
        "TlsVerify": machine.tls,
        "RegistryMirror": without_secrets(engine.registry_mirrors),
        "InstallURL": without_secrets(engine.install_url) or INSTALL_URL,
    }
