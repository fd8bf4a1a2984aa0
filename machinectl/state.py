"""What a host is doing, in the words that everybody here uses for it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a host is doing, in docker-machine's words."""

    RUNNING = "Running"
    PAUSED = "Paused"
    SAVED = "Saved"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    STARTING = "Starting"
    ERROR = "Error"
    TIMEOUT = "Timeout"
    NONE = ""
