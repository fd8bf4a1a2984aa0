"""The limit of open file descriptors."""

from __future__ import annotations

# Descriptors for streams, a lock, a file, and a starting program's pipes.
BESIDES = 40


def fitting_jobs(wanted: int, each: int = 1, *, besides: int = BESIDES) -> int:
    """Return how many of `wanted` jobs fit, at least 1. Raises the soft limit (macOS: 256, Linux: 1024) if needed."""
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
