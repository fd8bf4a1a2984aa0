"""Engines as Prometheus scrape targets.

file_sd: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
Metrics: https://docs.docker.com/engine/daemon/prometheus/
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.errors import Hint, MachineError, UsageError

if TYPE_CHECKING:
    from machinectl.machines.record import Machine

METRICS = "metrics-addr"
ANY = "0.0.0.0"  # noqa: S104 - a value of an engine option
# Labels that every target has, from us or from Prometheus.
OWN = frozenset({"machine", "driver", "instance", "job"})


def scrape_target(machine: Machine) -> dict[str, Any] | None:
    """Return None without metrics-addr. Raises MachineError if other hosts cannot reach it."""
    asked = dict(option.partition("=")[::2] for option in machine.engine.options).get(METRICS, "")
    if not asked:
        return None
    return {
        "targets": [metrics_address(machine, asked)],
        "labels": {"machine": machine.name, "driver": machine.driver, **prometheus_labels(machine)},
    }


def metrics_address(machine: Machine, asked: str) -> str:
    """Return host:port for other hosts; `asked` is Go's net.Listen address."""
    mend = Hint("", "machinectl set --engine-opt", f"{METRICS}={ANY}:9323", machine.name)
    try:
        found = engine_url.parse_url(f"tcp://{ANY if asked.startswith(':') else ''}{asked}")
    except UsageError as exc:
        raise MachineError(f"{METRICS}={asked} is not an address with a port", mend) from exc
    if not found.port:
        raise MachineError(f"{METRICS}={asked} has no port", mend)
    try:
        address = ipaddress.ip_address(found.host)
    except ValueError:
        address = None
    if address.is_loopback if address else f".{found.host}".endswith(".localhost"):
        raise MachineError(f"its metrics are at {asked}, which only the host itself can reach", mend)
    host = found.host
    # The first address, also if another one answers here: a target that moves begins new time series, and Prometheus
    # may be in another network.
    if address and address.is_unspecified:
        host = engine_url.parse_url(machine.url).host if machine.url else ""
        if not host:
            raise MachineError("its host's address is unknown", Hint("", "machinectl inspect", machine.name))
    return f"{f'[{host}]' if ':' in host else host}:{found.port}"


def prometheus_labels(machine: Machine) -> dict[str, str]:
    """If two names become equal, the first wins."""
    found: dict[str, str] = {}
    for key, value in machine.labels.items():
        found.setdefault(prometheus_name(key), value)
    return found


def prometheus_name(name: str) -> str:
    # A name must match [a-zA-Z_][a-zA-Z0-9_]*. Prometheus drops names that begin with two underscores.
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not name or name[0].isdigit():
        name = f"_{name}"
    if name in OWN or name.startswith("__"):
        name = f"label_{name.lstrip('_')}"
    return name
