"""Parse known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

paramiko's parser knows no patterns, markers or new key types, and stops at invalid base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

REVOKED = "@revoked"
AUTHORITY = "@cert-authority"
# The kinds of host keys. A user may know the fingerprint of any of them. An ssh-rsa key signs with SHA-2 (RFC 8332).
RSA = "rsa-sha2-512,rsa-sha2-256"
KEY_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", RSA)


def key_algorithms(types: Iterable[str]) -> str:
    """Return the algorithms of keys of these types, as HostKeyAlgorithms names them."""
    return ",".join(RSA if kind in {"ssh-rsa", "rsa-sha2-512"} else kind for kind in types)


def key_text(kind: str, fingerprint: str) -> str:
    """Return `ED25519 SHA256:…`."""
    name = kind.removeprefix("ssh-").removeprefix("sk-").partition("@")[0].partition("-")[0]
    return f"{name.upper()} {fingerprint}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key (RFC 4253 6.6); the blob starts with the type."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return f"SHA256:{base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"

    def __str__(self) -> str:
        return key_text(self.type, self.fingerprint)

    @property
    def line(self) -> str:
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A line of known_hosts; the marker may be ""."""

    marker: str
    patterns: tuple[str, ...]
    key: HostKey

    def names(self, name: str) -> bool:
        """Return whether the line applies to a name; a pattern after ! excludes it."""
        excluded = any(matches(each[1:], name) for each in self.patterns if each.startswith("!"))
        return not excluded and any(matches(each, name) for each in self.patterns if not each.startswith("!"))


def matches(pattern: str, name: str) -> bool:
    """Match a hash (|1|salt|hash) or wildcards; ignore case."""
    if pattern.startswith("|1|"):
        salt, _, digest = pattern[3:].partition("|")
        try:
            wanted = base64.b64decode(digest, validate=True)
            made = hmac.digest(base64.b64decode(salt, validate=True), name.lower().encode(), "sha1")
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(made, wanted)
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern.lower())
    return re.fullmatch("".join(parts), name.lower()) is not None


def is_wide(line: str) -> bool:
    """Return whether a line has a marker, or trusts a key for hosts that it does not name."""
    names = next(iter(line.split()), "")
    return not names.startswith("#") and (names.startswith("@") or not set("*?!").isdisjoint(names))


def parse_known_hosts(text: bytes) -> list[KnownHost]:
    """Skip invalid lines, as OpenSSH does."""
    return [entry for line in text.decode(errors="replace").splitlines() if (entry := parse_line(line)) is not None]


def parse_line(line: str) -> KnownHost | None:
    fields = line.split()
    marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
    if len(fields) < 3 or fields[0].startswith("#") or marker not in {"", REVOKED, AUTHORITY}:  # noqa: PLR2004 - names, type, key
        return None
    key = parse_key(fields[1], fields[2])
    return None if key is None else KnownHost(marker, tuple(fields[0].split(",")), key)


def parse_key(kind: str, text: str) -> HostKey | None:
    """Return None if the blob is of another type."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(blob[:4], "big")
    return HostKey(kind, blob) if blob[4 : 4 + length] == kind.encode() and kind else None


def find_keys(entries: list[KnownHost], names: list[str]) -> list[KnownHost]:
    """Return keys of the first known name, and marked lines of all names."""
    marked = [entry for entry in entries if entry.marker and any(entry.names(name) for name in names)]
    for name in names:
        keys = [entry for entry in entries if not entry.marker and entry.names(name)]
        if keys:
            return keys + marked
    return marked


def is_fingerprint(text: str) -> bool:
    return re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}=?", text) is not None
