"""Names of images, as distribution/reference has them."""

from __future__ import annotations

import re

# A name (maybe with a registry), a tag, a digest.
REFERENCE = re.compile(
    r"(?P<name>(?:(?:localhost|[\w-]+(?:\.[\w-]+)+|[\w-]+:\d+|\[[0-9a-fA-F:]+\])(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*)"
    r"(?P<tag>:\w[\w.-]{0,127})?(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
# The default registry and library, which docker omits.
FAMILIAR = re.compile(r"^(?:(?:index\.)?docker\.io/)?(?:library/(?=[^/]*$))?")
