"""How tests on real servers are handed out to processes: those of a file that share servers all go to one of them.

pytest-xdist's own loadgroup is for that, but with pytest 9.2 its groups are lost.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it tells no types

# They boot servers once, for all their tests. What takes longest is begun first.
SHARING = (
    "tests/fleet/test_apply_lab.py",
    "tests/doctor/test_doctor_lab.py",
    "tests/lab/test_lab.py",
    "tests/swarm/test_swarm_lab.py",
)


class BySharedServers(LoadScopeScheduling):  # type: ignore[misc]  # as above
    """One test after the other to whoever is free, but for those that share servers."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if path in SHARING else nodeid
