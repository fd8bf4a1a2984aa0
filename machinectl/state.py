"""The state of a host."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """docker-machine's words, and UNKNOWN for a host that was not asked."""

    RUNNING = "Running"
    PAUSED = "Paused"
    SAVED = "Saved"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    STARTING = "Starting"
    ERROR = "Error"
    TIMEOUT = "Timeout"
    UNKNOWN = "Unknown"
    NONE = ""
