"""Tools that find containers through an engine: Traefik, Prometheus. Their files are YAML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from machinectl.hosts.access.tool_files.tool_layout import ToolFiles, by_machine, instance, mount, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess

# JSON's strings are YAML's, too.
TRAEFIK = """\
entryPoints:
  web:
    address: ":80"
providers:
  docker:
    endpoint: {url}
    tls:
      ca: /etc/traefik/ca.pem
      cert: /etc/traefik/cert.pem
      key: /etc/traefik/key.pem
    # From another host, only published ports can be reached: publish them on the host's address.
    useBindPortIP: true
"""
PROMETHEUS_JOB = """\
  - job_name: {name}
    docker_sd_configs:
      - host: {https}
        tls_config:
          ca_file: {name_plain}/ca.pem
          cert_file: {name_plain}/cert.pem
          key_file: {name_plain}/key.pem
    relabel_configs:
      # From another host, only published ports can be reached.
      - source_labels: [__meta_docker_port_public]
        regex: .+
        action: keep
      - source_labels: [__meta_docker_port_public]
        target_label: __address__
        replacement: {target}
      - source_labels: [__meta_docker_container_name]
        regex: /(.+)
        target_label: container
      - target_label: machine
        replacement: {name}
"""


def traefik(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Start a container for each engine; the docker provider takes one.

    https://doc.traefik.io/traefik/reference/install-configuration/providers/docker/
    """
    files = by_machine(engines)
    lines = []
    for number, engine in enumerate(engines):
        files[f"{engine.name}/traefik.yml"] = TRAEFIK.format(url=json.dumps(engine.url)).encode()
        lines.append(
            f"docker run -d --name {instance('traefik', engine, engines)} -p {80 + number}:80 "
            f"{mount('/etc/traefik', directory, engine.name)} traefik:v3"
        )
    return ToolFiles(files, lines)


def prometheus(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Write a job for each engine; paths are relative to the file, and TLS is for https:// only.

    https://prometheus.io/docs/prometheus/latest/configuration/configuration/#docker_sd_config
    """
    jobs = "".join(
        PROMETHEUS_JOB.format(
            name=json.dumps(engine.name),
            name_plain=engine.name,
            https=json.dumps(engine.https),
            target=json.dumps(f"{engine.address.rpartition(':')[0]}:$1"),
        )
        for engine in engines
    )
    return ToolFiles(
        {**by_machine(engines), "prometheus.yml": f"scrape_configs:\n{jobs}".encode()},
        [
            f"promtool check config {quoted(directory, 'prometheus.yml')}",
            f"prometheus --config.file={quoted(directory, 'prometheus.yml')}",
            f"# As a service, Prometheus has to own them: sudo chown -R prometheus: {quoted(directory)}",
        ],
    )
