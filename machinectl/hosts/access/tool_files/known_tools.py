"""The tools that `access issue` knows. Each function's docstring names the documentation that it follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.hosts.access.tool_files.automation import ansible, terraform
from machinectl.hosts.access.tool_files.ci_variables import github, gitlab
from machinectl.hosts.access.tool_files.dashboards import dozzle, portainer, uptime_kuma, watchtower
from machinectl.hosts.access.tool_files.developer_tools import env, testcontainers, vscode
from machinectl.hosts.access.tool_files.service_discovery import prometheus, traefik

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess, ToolFiles

# A layout takes the engines and the absolute path of the directory for the files.
LAYOUTS: Mapping[str, Callable[[Sequence[EngineAccess], str], ToolFiles]] = {
    "ansible": ansible,
    "dozzle": dozzle,
    "env": env,
    "github": github,
    "gitlab": gitlab,
    "portainer": portainer,
    "prometheus": prometheus,
    "terraform": terraform,
    "testcontainers": testcontainers,
    "traefik": traefik,
    "uptime-kuma": uptime_kuma,
    "vscode": vscode,
    "watchtower": watchtower,
}
