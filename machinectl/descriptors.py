"""How many file descriptors this process may have open: the soft limit is 256 on macOS and 1024 on Linux."""

from __future__ import annotations

# What a process has open beside the work that is counted: its streams, a lock, a file that is being read, and the pipes
# of a program while that is started.
BESIDES = 40


def room(wanted: int, each: int = 1, *, besides: int = BESIDES) -> int:
    """Return how many of `wanted` jobs, each with so many descriptors, fit at once: 1 at least.

    The soft limit is raised as far as that needs and the hard one allows.
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
