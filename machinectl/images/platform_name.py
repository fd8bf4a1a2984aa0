"""Names of platforms, such as linux/arm64, as docker understands them (containerd/platforms)."""

from __future__ import annotations

import re

from machinectl.errors import Hint, UsageError, one_line

PLATFORM = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+){0,2}")
LONGEST_PLATFORM = 64
# Other names of architectures, such as uname's, as Go has them (runtime.GOARCH).
ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm/v7",
    "armv7l": "arm/v7",
    "armel": "arm/v6",
    "armv6l": "arm/v6",
    "i386": "386",
    "i686": "386",
}
SYSTEMS = {"linux", "windows", "darwin", "freebsd"}


def parse_platform(text: str) -> str:
    """Return OS/ARCHITECTURE[/VARIANT]; the system is linux if only an architecture is given. Raises UsageError."""
    name = text.lower()
    if not PLATFORM.fullmatch(name) or name in SYSTEMS:
        raise UsageError(
            f"{one_line(repr(text))} is not a platform", Hint("Write it as docker does, such as linux/arm64")
        )
    system, architecture, *variant = name.split("/") if "/" in name else ("linux", name)
    found = "/".join([system, ARCHITECTURES.get(architecture, architecture), *variant])
    # Every arm64 is v8.
    return found.removesuffix("/v8") if found.endswith("/arm64/v8") else found
