"""Control groups, as in /proc/PID/cgroup: what runs a process."""

from __future__ import annotations

import re

# A container's part of a path: Docker, podman and Kubernetes with systemd (docker-<id>.scope) or without (<id>), LXC,
# Kubernetes slices, nspawn.
CONTAINER = re.compile(
    r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?|docker|lxc|lxc\.payload.*|kubepods|kubepods.*\.slice|libpod_parent"
    r"|machine-.+\.scope|systemd-nspawn@.+\.service"
)


def path(line: str) -> str:
    """Return the path in a line of /proc/PID/cgroup (NUMBER:CONTROLLERS:PATH)."""
    return line.split(":", 2)[-1]


def in_service(line: str, service: str) -> bool:
    """Return whether a process belongs to docker.service, whose control group is `service` ("" if unknown)."""
    if service:
        return path(line) == service or path(line).startswith(f"{service}/")
    return "docker.service" in path(line).split("/") and not in_container(line)


def service(line: str) -> str:
    """Return the systemd service that a process belongs to, "" if none."""
    parts = path(line).split("/")
    return next((part for part in reversed(parts) if part.endswith(".service")), "")


def in_container(line: str) -> bool:
    """Return whether a process runs in a container (Docker in Docker, LXC, Kubernetes, nspawn)."""
    return any(CONTAINER.fullmatch(part) for part in path(line).split("/"))
