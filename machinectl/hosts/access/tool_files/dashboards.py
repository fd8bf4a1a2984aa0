"""Tools that watch or manage engines, most in a container: Portainer, Dozzle, Uptime Kuma, Watchtower."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from machinectl import url as engine_url
from machinectl.hosts.access.tool_files.tool_layout import ToolFiles, by_host, by_machine, instance, mount, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess


def portainer(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Upload three files for each environment.

    Form: https://docs.portainer.io/admin/environments/add/docker/api
    API: https://docs.portainer.io/admin/environments/add/api
    """
    # curl reads it from a file that Git ignores: it stays out of the arguments, and of the shell's history.
    token = quoted(directory, engines[0].name, "api-key")
    lines = [
        "# In Portainer: Environments, Add environment, Docker Standalone, API, TLS on.",
        f"# Or write the line X-API-Key: <ACCESS TOKEN> into {token}, and put Portainer's address here:",
    ]
    for engine in engines:
        upload = " ".join(
            f"-F {field}=@{quoted(directory, engine.name, file)}"
            for field, file in (
                ("TLSCACertFile", "ca.pem"),
                ("TLSCertFile", "cert.pem"),
                ("TLSKeyFile", "key.pem"),
            )
        )
        lines.append(
            f"curl -fsS -H @{token} 'https://<PORTAINER>:9443/api/endpoints' "
            f"-F Name={engine.name} -F EndpointCreationType=1 -F URL={shlex.quote(engine.url)} -F TLS=true {upload}"
        )
    return ToolFiles(by_machine(engines), lines)


def dozzle(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Mount a folder for each host at /certs.

    https://dozzle.dev/guide/remote-hosts#connecting-to-remote-hosts-with-tls
    """
    remote = " ".join(f"--remote-host {shlex.quote(f'{engine.url}|{engine.name}')}" for engine in engines)
    return ToolFiles(
        by_host("Dozzle", engines, lambda engine: engine.host),
        [f"docker run -d --name dozzle -p 8080:8080 {mount('/certs', directory)} amir20/dozzle:latest {remote}"],
    )


def uptime_kuma(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Mount a folder for each host at data/docker-tls; the URL has to be https://, since it takes tcp:// for HTTP.

    https://github.com/louislam/uptime-kuma/wiki/How-to-Monitor-Docker-Containers
    https://github.com/louislam/uptime-kuma/pull/2852
    """

    def folder(engine: EngineAccess) -> str:
        # JavaScript's URL.hostname, in lower case and with IPv6's brackets.
        host = engine.host.lower()
        return f"[{host}]" if engine_url.is_address(host) and ":" in host else host

    mounts = f"-v uptime-kuma:/app/data {mount('/app/data/docker-tls', directory)}"
    return ToolFiles(
        by_host("Uptime Kuma", engines, folder),
        [
            f"docker run -d --name uptime-kuma -p 3001:3001 {mounts} louislam/uptime-kuma:2",
            "# In Uptime Kuma: Settings, Docker Hosts, Setup Docker Host, connection type TCP / HTTP, Docker Daemon:",
            *(f"# {engine.name}: {engine.https}" for engine in engines),
        ],
    )


def watchtower(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Start a container for each engine, with its certificates at /etc/ssl/docker.

    https://containrrr.dev/watchtower/secure-connections/
    DOCKER_API_VERSION: https://containrrr.dev/watchtower/arguments/#docker_api_version
    """
    # It asks for version 1.24 by itself, and engines from 29 on refuse less than 1.44.
    lines = ["# An engine older than 25 needs another DOCKER_API_VERSION; see: docker version"]
    for engine in engines:
        variables = {
            "DOCKER_HOST": engine.url,
            "DOCKER_CERT_PATH": "/etc/ssl/docker",
            "DOCKER_API_VERSION": "1.44",
        }
        settings = " ".join(f"-e {name}={shlex.quote(value)}" for name, value in variables.items())
        lines.append(
            f"docker run -d --name {instance('watchtower', engine, engines)} {settings} "
            f"{mount('/etc/ssl/docker', directory, engine.name)} containrrr/watchtower --tlsverify"
        )
    return ToolFiles(by_machine(engines), lines)
