"""Export machines as an Ansible inventory.

See https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any

from machinectl import url as engine_url
from machinectl.machines.machine_driver import at_last_address, endpoints_of, known_hosts_path, with_jump_host
from machinectl.ssh.destination import SSHEndpoint
from machinectl.ssh.openssh.ssh_options import identity_arguments, quote_config_path
from machinectl.ssh.ssh_settings import check_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machinectl.machines.record import Machine

# Groups not made from labels; "all" and "ungrouped" are Ansible's own.
ALL, WITH_SSH, OF_DRIVER = "docker", "ssh", "driver_"
TAKEN = frozenset({ALL, WITH_SSH, "all", "ungrouped"})
# Jinja's delimiters: Ansible trusts an inventory and evaluates the text between them.
TEMPLATES = re.compile(r"\{[{%#]")


def host_variables(machine: Machine) -> dict[str, Any]:
    """Raise MachineError if the address is unknown."""
    found: dict[str, Any] = {"machinectl_driver": machine.driver, "machinectl_labels": dict(machine.labels)}
    if machine.url:
        # Ansible asks for an inventory at each run: it gets the addresses that answered last.
        found["docker_host"] = machine.urls[0]
    if machine.addresses:
        found["machinectl_addresses"] = [engine_url.parse_url(machine.url).host, *machine.addresses]
    if machine.tls:
        found["docker_cert_path"] = machine.directory
    ssh = ansible_endpoint(machine)
    if ssh:
        found.update(connection_variables(ssh, known_hosts_path(machine)))
    return {name: escape_templates(value) for name, value in sorted(found.items())}


def ansible_endpoint(machine: Machine) -> SSHEndpoint | None:
    """Fall back to an ssh:// engine's host."""
    ssh = endpoints_of(machine).ssh
    if ssh is None and machine.url.startswith("ssh://"):
        url = engine_url.parse_url(machine.url)
        ssh = with_jump_host(machine, SSHEndpoint(url.host, url.user, url.port))
    return at_last_address(machine, ssh) if ssh else None


def connection_variables(ssh: SSHEndpoint, known_hosts: str) -> dict[str, Any]:
    """Until a host key is pinned, the user's ssh checks it."""
    check_endpoint(ssh)
    found: dict[str, Any] = {"ansible_host": ssh.host}
    if ssh.port:
        found["ansible_port"] = ssh.port
    if ssh.user:
        found["ansible_user"] = ssh.user
    if ssh.key:
        # Ansible quotes the path for ssh but does not escape special characters in it.
        found["ansible_ssh_private_key_file"] = quote_config_path(ssh.key)[1:-1]
    arguments = identity_arguments("", known_hosts if os.path.exists(known_hosts) else "", ssh.jump)
    if ssh.key:
        arguments += ["-o", "IdentitiesOnly=yes"]
    if arguments:
        found["ansible_ssh_common_args"] = shlex.join(arguments)
    return found


def escape_templates(value: Any) -> Any:
    """Mark values that Ansible would evaluate; drop such marks from labels."""
    if isinstance(value, dict):
        return {key: escape_templates(each) for key, each in value.items() if not key.startswith("__ansible_")}
    if isinstance(value, str) and TEMPLATES.search(value):
        return {"__ansible_unsafe": value}
    return value


def inventory_groups(machines: Iterable[Machine], with_ssh: Iterable[str]) -> dict[str, list[str]]:
    """Group by SSH, driver and label. Label `role=web` makes group `role_web`, `role` makes `role`."""
    found: dict[str, list[str]] = {}
    reached = set(with_ssh)
    for machine in machines:
        of_it = [ALL, *([WITH_SSH] if machine.name in reached else []), ansible_name(f"{OF_DRIVER}{machine.driver}")]
        for group in dict.fromkeys([*of_it, *(label_group(*label) for label in machine.labels.items())]):
            found.setdefault(group, []).append(machine.name)
    return {group: found[group] for group in sorted(found)}


def label_group(key: str, value: str) -> str:
    group = ansible_name(f"{key}_{value}" if value else key)
    return f"label_{group}" if group in TAKEN or group.startswith(OF_DRIVER) else group


def ansible_name(name: str) -> str:
    # Ansible requires group names to be valid variable names.
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{name}" if not name or name[0].isdigit() else name
