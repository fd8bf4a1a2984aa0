"""Read certificates' expiry dates (RFC 5280 4.1) without loading cryptography. Light path."""

from __future__ import annotations

import binascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
# X.690 identifiers of the fields before the validity, and of the two kinds of time.
SEQUENCE, INTEGER, VERSION, UTC_TIME, GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18
# From here on, a length byte gives the number of length bytes (X.690 8.1.3.5).
LONG = 0x80
# From here on, two-digit years are in the last century (RFC 5280 4.1.2.5.1).
LAST_CENTURY = b"50"


def expiry_dates(pem: bytes) -> list[datetime]:
    """Skip unreadable certificates."""
    return [end for _, end in validities(pem)]


def validities(pem: bytes) -> list[tuple[datetime, datetime]]:
    """Return when each certificate begins and ends; skip unreadable ones."""
    found = []
    for begin, end in validity_texts(pem):
        try:
            found.append((to_datetime(begin), to_datetime(end)))
        except ValueError:
            continue
    return found


def end_before(pem: bytes, now: bytes) -> bool:
    """Return whether a certificate ends before `now`, YYYYMMDDhhmmss in UTC. Loading datetime would take 2 ms."""
    return any(end < now for _, end in validity_texts(pem))


def validity_texts(pem: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each certificate's begin and end as YYYYMMDDhhmmssZ; skip unreadable ones."""
    for part in pem.split(BEGIN)[1:]:
        try:
            yield validity(binascii.a2b_base64(part.partition(END)[0]))
        except (ValueError, IndexError):
            continue


def validity(der: bytes) -> tuple[bytes, bytes]:
    """Raise ValueError or IndexError if DER is invalid."""
    certificate = field_start(der, 0, SEQUENCE)
    at = field_start(der, certificate, SEQUENCE)
    if der[at] == VERSION:
        at = field_end(der, at)
    for kind in (INTEGER, SEQUENCE, SEQUENCE):
        field_start(der, at, kind)
        at = field_end(der, at)
    begin = field_start(der, at, SEQUENCE)
    return read_time(der, begin), read_time(der, field_end(der, begin))


def read_time(der: bytes, at: int) -> bytes:
    text = der[field_start(der, at, der[at]) : field_end(der, at)]
    if der[at] == UTC_TIME:
        text = (b"19" if text[:2] >= LAST_CENTURY else b"20") + text
    elif der[at] != GENERALIZED_TIME:
        raise ValueError("that is not a time")
    if len(text) != len("YYYYMMDDhhmmssZ"):
        raise ValueError("that is not a certificate's time")
    return text


def to_datetime(text: bytes) -> datetime:
    from datetime import UTC, datetime

    # strptime would first load the locale's names (5 ms).
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)


def field_start(der: bytes, at: int, kind: int) -> int:
    if der[at] != kind:
        raise ValueError(f"{der[at]:#x} stands where {kind:#x} should")
    return at + 2 + (der[at + 1] - LONG if der[at + 1] >= LONG else 0)


def field_end(der: bytes, at: int) -> int:
    start = field_start(der, at, der[at])
    length = der[at + 1] if der[at + 1] < LONG else int.from_bytes(der[at + 2 : start], "big")
    return start + length
