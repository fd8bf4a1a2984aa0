"""What runs a process: the paths of control groups, as /proc/PID/cgroup has them, compared part by part."""

from __future__ import annotations

import re

# A container's part of a path: Docker's, podman's and Kubernetes' by systemd (docker-<id>.scope) or without (<id>),
# LXC's, Kubernetes' slices, nspawn's.
CONTAINER = re.compile(
    r"(?:[a-z-]+-)?[0-9a-f]{64}(?:\.scope)?|docker|lxc|lxc\.payload.*|kubepods|kubepods.*\.slice|libpod_parent"
    r"|machine-.+\.scope|systemd-nspawn@.+\.service"
)


def path(line: str) -> str:
    """The path in a line of /proc/PID/cgroup: NUMBER:CONTROLLERS:PATH."""
    return line.split(":", 2)[-1]


def in_service(line: str, service: str) -> bool:
    """Whether a process belongs to docker.service, whose control group systemd says to be `service` ("": unknown)."""
    if service:
        return path(line) == service or path(line).startswith(f"{service}/")
    return "docker.service" in path(line).split("/") and not in_container(line)


def service(line: str) -> str:
    """Return the systemd service that a process belongs to, "" if it belongs to none."""
    parts = path(line).split("/")
    return next((part for part in reversed(parts) if part.endswith(".service")), "")


def in_container(line: str) -> bool:
    """Whether a process runs in a container: Docker in Docker, LXC, Kubernetes."""
    return any(CONTAINER.fullmatch(part) for part in path(line).split("/"))
