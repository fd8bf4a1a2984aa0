"""Linux signals (signal(7)) and their exit statuses in a shell (POSIX)."""

from __future__ import annotations

NUMBERS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ILL": 4,
    "TRAP": 5,
    "ABRT": 6,
    "BUS": 7,
    "FPE": 8,
    "KILL": 9,
    "USR1": 10,
    "SEGV": 11,
    "USR2": 12,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
    "XCPU": 24,
    "XFSZ": 25,
    "SYS": 31,
}
NAMES = {number: f"SIG{name}" for name, number in NUMBERS.items()}
# A shell adds this to a signal's number; the highest signal number.
ADDED, HIGHEST = 128, 64
UNKNOWN = 255


def status_of(name: bytes) -> int:
    """`name` is the signal's SSH name (RFC 4254 6.10)."""
    number = NUMBERS.get(name.decode(errors="replace"))
    return ADDED + number if number else UNKNOWN


def is_signalled(status: int) -> bool:
    return ADDED < status <= ADDED + HIGHEST


def status_text(status: int) -> str:
    """Name the signal, if any."""
    signal = NAMES.get(status - ADDED, "")
    return f"status {status}{signal and f': {signal}'}"
