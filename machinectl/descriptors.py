"""The limit of open file descriptors: the soft limit is 256 on macOS and 1024 on Linux."""

from __future__ import annotations

# Descriptors for other uses: the streams, a lock, a file, and the pipes of a program while it starts.
BESIDES = 40


def fitting_jobs(wanted: int, each: int = 1, *, besides: int = BESIDES) -> int:
    """Return how many of `wanted` jobs fit at once, at `each` descriptors per job; at least 1.

    Raises the soft limit as far as needed and as the hard limit allows.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * each + besides
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
        soft = max(soft, allowed)
    except (ValueError, OSError):  # macOS has a lower limit behind an unlimited one
        pass
    return max(1, min(wanted, (soft - besides) // each))
