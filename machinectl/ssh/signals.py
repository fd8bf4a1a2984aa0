"""Linux signals (signal(7)) and their exit statuses in a shell (POSIX)."""

from __future__ import annotations

FROM_1_ON = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM"
NAMES = dict(enumerate(FROM_1_ON.split(), 1))
NAMES |= {24: "XCPU", 25: "XFSZ", 31: "SYS"}
# A shell adds this to a signal's number; the highest signal number.
ADDED, HIGHEST = 128, 64


def is_signalled(status: int) -> bool:
    return ADDED < status <= ADDED + HIGHEST


def status_text(status: int) -> str:
    """Name the signal, if any."""
    signal = NAMES.get(status - ADDED, "")
    return f"status {status}{signal and f': SIG{signal}'}"
