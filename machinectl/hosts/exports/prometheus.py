"""Engines as Prometheus looks for them: where an engine's metrics are, as far as is known here.

file_sd's format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
What an engine tells: https://docs.docker.com/engine/daemon/prometheus/
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.errors import MachineError, UsageError

if TYPE_CHECKING:
    from machinectl.machines.record import Machine

METRICS = "metrics-addr"
ANY = "0.0.0.0"  # noqa: S104 - what an engine is asked for
# What a target has of its own, and what Prometheus gives each.
OWN = frozenset({"machine", "driver", "instance", "job"})


def scrape_target(machine: Machine) -> dict[str, Any] | None:
    """A machine's entry in the file; None where its engine is not asked for metrics.

    Raises MachineError where they cannot be had from another host.
    """
    asked = dict(option.partition("=")[::2] for option in machine.engine.options).get(METRICS, "")
    if not asked:
        return None
    return {
        "targets": [metrics_address(machine, asked)],
        "labels": {"machine": machine.name, "driver": machine.driver, **prometheus_labels(machine)},
    }


def metrics_address(machine: Machine, asked: str) -> str:
    """Where the metrics are seen from elsewhere, host:port; dockerd was asked for them as Go's net.Listen has it."""
    mend = f"machinectl set --engine-opt {METRICS}={ANY}:9323 {machine.name}"
    try:
        found = engine_url.parse(f"tcp://{ANY if asked.startswith(':') else ''}{asked}")
    except UsageError as exc:
        raise MachineError(f"{METRICS}={asked} is no address and port", mend) from exc
    if not found.port:
        raise MachineError(f"{METRICS}={asked} has no port", mend)
    if is_loopback(found.host):
        raise MachineError(f"its metrics are at {asked}, which is the host's own", mend)
    host = found.host
    if is_any(host):
        host = engine_url.parse(machine.url).host if machine.url else ""
        if not host:
            raise MachineError("its host's address is not known here", f"machinectl inspect {machine.name}")
    return f"{f'[{host}]' if ':' in host else host}:{found.port}"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def prometheus_labels(machine: Machine) -> dict[str, str]:
    """A machine's labels under names that Prometheus takes; of two that become the same one, the first counts."""
    found: dict[str, str] = {}
    for key, value in machine.labels.items():
        found.setdefault(prometheus_name(key), value)
    return found


def prometheus_name(name: str) -> str:
    """[a-zA-Z_][a-zA-Z0-9_]*; what begins with two underscores is Prometheus' own, and dropped there."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not name or name[0].isdigit():
        name = f"_{name}"
    if name in OWN or name.startswith("__"):
        name = f"label_{name.lstrip('_')}"
    return name
