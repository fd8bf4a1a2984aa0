"""Fingerprints that people compare by voice."""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap

from machinectl.errors import CUT

# At least four groups of four, between the same marks.
FINGERPRINT = re.compile(r"[a-z2-7]{4}([^a-z0-9]{1,3})[a-z2-7]{4}(?:\1[a-z2-7]{4}){2,}", re.IGNORECASE)
NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def spoken_fingerprint(content: bytes) -> str:
    """Return 80 bits of the content's SHA256 in base32, to be read aloud: four groups of four."""
    text = base64.b32encode(hashlib.sha256(content).digest()[:10]).decode().lower()
    return "-".join(textwrap.wrap(text, 4))


def hide_fingerprints(text: str) -> str:
    """Cut what looks like a fingerprint: words of the other side must not pass for our fingerprint.

    Letters outside ASCII, which look like others, become "?".
    """
    return FINGERPRINT.sub(CUT, NOT_ASCII.sub("?", text))
