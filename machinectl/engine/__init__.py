"""The Docker Engine API client: whether an engine answers, and one request to it, over tcp, TLS, unix and ssh."""

from machinectl.engine.endpoint import Endpoint, EngineError
from machinectl.engine.http import Response, request
from machinectl.engine.probe import Probe, probe, probe_all

__all__ = ["Endpoint", "EngineError", "Probe", "Response", "probe", "probe_all", "request"]
