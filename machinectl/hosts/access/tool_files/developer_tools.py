"""Tools on a developer's computer: docker itself, Testcontainers, Visual Studio Code."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

from machinectl.envfile import format_variables
from machinectl.hosts.access.tool_files.tool_layout import ToolFiles, by_machine, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from machinectl.hosts.access.tool_files.tool_layout import EngineAccess


def env(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set docker's variables, which its CLI, SDKs and most other programs read.

    https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    files = {**by_machine(engines), **with_variables(engines, directory)}
    return ToolFiles(files, [f"{environment(directory, engine)} docker version" for engine in engines])


def testcontainers(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Set docker's variables; Java, Go and .NET also read them from ~/.testcontainers.properties, Python does not.

    https://java.testcontainers.org/features/configuration/
    https://testcontainers-python.readthedocs.io/en/latest/features/configuration/
    """
    files = {**by_machine(engines), **with_variables(engines, directory)}
    lines = []
    for engine in engines:
        settings = {
            name.lower().replace("_", "."): value
            for name, value in engine.variables(os.path.join(directory, engine.name)).items()
        }
        files[f"{engine.name}/testcontainers.properties"] = format_variables("properties", settings).encode()
        properties = quoted(directory, engine.name, "testcontainers.properties")
        lines += [
            f"{environment(directory, engine)} pytest",
            f"# For Java, Go and .NET: cat {properties} >>~/.testcontainers.properties",
        ]
    return ToolFiles(files, lines)


def vscode(engines: Sequence[EngineAccess], directory: str) -> ToolFiles:
    """Write settings of Container Tools, which Dev Containers follows, or start VS Code with docker's variables.

    https://code.visualstudio.com/remote/advancedcontainers/develop-remote-host#_using-the-tcp-protocol
    """
    files = by_machine(engines)
    lines = ["# Add to settings.json of VS Code or of a workspace, then reload the window:"]
    for engine in engines:
        settings = {"containers.environment": engine.variables(os.path.join(directory, engine.name))}
        files[f"{engine.name}/settings.json"] = (json.dumps(settings, indent=4) + "\n").encode()
        lines.append(f"cat {quoted(directory, engine.name, 'settings.json')}")
    lines.append("# Or close VS Code and start it with the variables:")
    lines += [f"{environment(directory, engine)} code" for engine in engines]
    return ToolFiles(files, lines)


def with_variables(engines: Sequence[EngineAccess], directory: str) -> dict[str, bytes]:
    return {
        f"{engine.name}/docker.env": format_variables(
            "dotenv", engine.variables(os.path.join(directory, engine.name))
        ).encode()
        for engine in engines
    }


def environment(directory: str, engine: EngineAccess) -> str:
    """Return the beginning of a command with docker's variables, for any shell: fish does not read docker.env."""
    variables = engine.variables(os.path.join(directory, engine.name))
    return " ".join(["env", *(f"{name}={shlex.quote(value)}" for name, value in variables.items())])
