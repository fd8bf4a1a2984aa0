"""Docker Engine API client over TCP, TLS, unix sockets and SSH."""

from machinectl.engine.ask_engines import ask_all, probe_all
from machinectl.engine.endpoint import Endpoint, EngineError
from machinectl.engine.http import request
from machinectl.engine.probe import EngineQuery, Probe, probe, probe_by, reach
from machinectl.engine.response import Response

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
