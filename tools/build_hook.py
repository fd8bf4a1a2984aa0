"""Let hatchling write the generated files before it builds.

https://hatch.pypa.io/latest/plugins/build-hook/custom/
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Generated(BuildHookInterface):  # type: ignore[type-arg] # the configuration of a builder, which we do not read
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Run the generator in a process of its own, which finds the drivers as if they were installed."""
        root = Path(self.root)
        drivers = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]["machinectl.drivers"]
        with tempfile.TemporaryDirectory() as directory:
            installed = Path(directory, "machinectl.dist-info")
            installed.mkdir()
            lines = [f"{name} = {target}\n" for name, target in drivers.items()]
            (installed / "entry_points.txt").write_text("".join(["[machinectl.drivers]\n", *lines]))
            # Under another path: pip takes off the path what an editable installation put on it.
            Path(directory, "drivers").symlink_to(root / "drivers")
            # pip finds what the build requires by PYTHONPATH.
            ours = [directory, f"{directory}/drivers"]
            path = os.pathsep.join([*ours, *filter(None, [os.environ.get("PYTHONPATH")])])
            # pipx sets PYTHONSAFEPATH: Python would not find `tools` in the directory that it starts in.
            environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": ""}
            subprocess.run([sys.executable, "-m", "tools.generate"], check=True, cwd=root, env=environment)
