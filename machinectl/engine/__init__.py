"""Docker Engine API client over TCP, TLS, unix sockets and SSH."""

from machinectl.engine.endpoint import Endpoint, EngineError
from machinectl.engine.http import Response, request
from machinectl.engine.probe import EngineQuery, Probe, ask_all, probe, probe_all, probe_by, reach

__all__ = [
    "Endpoint",
    "EngineError",
    "EngineQuery",
    "Probe",
    "Response",
    "ask_all",
    "probe",
    "probe_all",
    "probe_by",
    "reach",
    "request",
]
