"""Names of images, as distribution/reference has them, and of platforms."""

from __future__ import annotations

import re

from machinectl.json_values import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A name (maybe with a registry), a tag, a digest.
REFERENCE = re.compile(
    r"(?P<name>(?:(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w-]+:\d+|\[[0-9a-fA-F:]+\])(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*)"
    r"(?P<tag>:\w[\w.-]{0,127})?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
# The default registry and library, which docker omits.
FAMILIAR = re.compile(r"^(?:(?:index\.)?docker\.io/)?(?:library/(?=[^/]*$))?")

PLATFORM = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+){0,2}")
LONGEST_PLATFORM = 64
# What is no platform; buildx describes a build in manifests of this one.
UNKNOWN = "unknown/unknown"
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


def engine_platform(info: dict[str, Any]) -> str:
    """Return the platform of an engine from its /info, UNKNOWN if it is invalid."""
    machine = as_text(info.get("Architecture"))
    platform = f"{as_text(info.get('OSType')) or 'linux'}/{ARCHITECTURES.get(machine, machine)}"
    return platform if len(platform) <= LONGEST_PLATFORM and PLATFORM.fullmatch(platform) else UNKNOWN
