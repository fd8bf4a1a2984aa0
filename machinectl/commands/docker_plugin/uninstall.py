"""`docker-plugin uninstall`: remove our plugin and hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machinectl.docker_cli import plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from machinectl.console import Console


def docker_plugin_uninstall(console: Console, environment: Mapping[str, str]) -> str:
    """Return the plugin's path, "" if it was not installed."""
    path = plugin.plugin_file(environment)
    if found := plugin.foreign_file(path):
        console.note(f"{path} is {found}, and is not changed")
        if plugin.asks_for_hooks(environment):
            plugin.ask_for_no_hooks(environment)
            console.note("docker's config.json no longer asks for our hooks")
        return ""
    there = plugin.is_ours(path)
    if there:
        plugin.remove_docker_file(path)
    plugin.ask_for_no_hooks(environment)
    if not there:
        console.note(f"There is no plugin at {path}")
    return path if there else ""
