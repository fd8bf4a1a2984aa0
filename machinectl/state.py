"""The state of a host."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a host, in docker-machine's words."""

    RUNNING = "Running"
    PAUSED = "Paused"
    SAVED = "Saved"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    STARTING = "Starting"
    ERROR = "Error"
    TIMEOUT = "Timeout"
    NONE = ""
