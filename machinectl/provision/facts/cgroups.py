"""Control groups (/proc/PID/cgroup): a process's service or container."""

from __future__ import annotations

import re

# Docker, podman and Kubernetes (docker-<id>.scope, or <id> without systemd), LXC, Kubernetes slices, nspawn.
CONTAINER = re.compile(
    r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?|docker|lxc|lxc\.payload.*|kubepods|kubepods.*\.slice|libpod_parent"
    r"|machine-.+\.scope|systemd-nspawn@.+\.service"
)


def path(line: str) -> str:
    """Return the path of NUMBER:CONTROLLERS:PATH."""
    return line.split(":", 2)[-1]


def in_service(line: str, service: str) -> bool:
    """Return whether docker.service (control group `service`, "" if unknown) runs the process."""
    if service:
        return path(line) == service or path(line).startswith(f"{service_name}/")
    return "docker.service" in path(line).split("/") and not in_container(line)


def service_name(line: str) -> str:
    parts = path(line).split("/")
    return next((part for part in reversed(parts) if part.endswith(".service")), "")


def in_container(line: str) -> bool:
    return any(CONTAINER.fullmatch(part) for part in path(line).split("/"))
