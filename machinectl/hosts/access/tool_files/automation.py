"""Tools that describe containers as code: Terraform, Ansible."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from machinectl.hosts.access.tool_files.tool_layout import ToolFiles, by_machine, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess

TERRAFORM = """\
terraform {
  required_providers {
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}
"""
# The collection's connection plugins read the same variables; its modules read none.
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  module_defaults:
    group/community.docker.docker:
      docker_host: "{{ ansible_docker_docker_host }}"
      validate_certs: true
      ca_path: "{{ ansible_docker_ca_path }}"
      client_cert: "{{ ansible_docker_client_cert }}"
      client_key: "{{ ansible_docker_client_key }}"
  tasks:
    - name: Look at the engine
      community.docker.docker_host_info:
      register: engine
    - name: Show its version
      ansible.builtin.debug:
        msg: "{{ engine.host_info.ServerVersion }}"
"""


def terraform(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Write a provider for each engine, with an alias if there are several. State has the path of the key, not the key.

    https://registry.terraform.io/providers/kreuzwerker/docker/latest/docs#certificate-information
    """
    providers = ""
    for engine in engines:
        alias = f"  alias     = {hcl(alias_of(engine.name))}\n" if len(engines) > 1 else ""
        providers += (
            f'\nprovider "docker" {{\n{alias}  host      = {hcl(engine.url)}\n'
            f'  cert_path = "${{path.module}}/{engine.name}"\n}}\n'
        )
    return ToolFiles(
        {**by_machine(engines), "docker.tf": (TERRAFORM + providers).encode()},
        [f"terraform -chdir={quoted(directory)} init", f"terraform -chdir={quoted(directory)} plan"],
    )


def hcl(text: str) -> str:
    # ${ and %{ begin templates.
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")


def alias_of(name: str) -> str:
    # Identifiers have letters, digits, underscores and hyphens, and do not begin with a digit.
    found = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    return f"_{found}" if found[0].isdigit() else found


def ansible(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Write an inventory of engines that this computer reaches, and a playbook that passes them to all modules.

    https://docs.ansible.com/ansible/latest/collections/community/docker/docsite/scenario_guide.html
    """
    inventory = {
        "all": {
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "hosts": {
                engine.name: {
                    "ansible_docker_docker_host": engine.url,
                    "ansible_docker_validate_certs": True,
                    **{
                        f"ansible_docker_{option}": f"{{{{ inventory_dir }}}}/{engine.name}/{file}"
                        for option, file in (
                            ("ca_path", "ca.pem"),
                            ("client_cert", "cert.pem"),
                            ("client_key", "key.pem"),
                        )
                    },
                }
                for engine in engines
            },
        }
    }
    files = {"inventory.json": (json.dumps(inventory, indent=4) + "\n").encode(), "playbook.yml": PLAYBOOK.encode()}
    return ToolFiles(
        {**by_machine(engines), **files},
        [f"ansible-playbook -i {quoted(directory, 'inventory.json')} {quoted(directory, 'playbook.yml')}"],
    )
