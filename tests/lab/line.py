"""A host's network cable and what can be wrong with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from tests.lab.command import sh

if TYPE_CHECKING:
    from tests.lab.network import Network

Blocking = Literal["drop", "reject", "off"]


class Line:
    """The cable between a host and the lab's bridge, and the packet filter at the host's end of it."""

    def __init__(self, network: Network, host: int) -> None:
        self._network = network
        self._host = host
        self._veth = network.veth(host)

    def plug(self, *, up: bool) -> None:
        sh("ip", "link", "set", self._veth, "up" if up else "down")

    def block(self, port: int, how: Blocking) -> None:
        """Drop or reject what comes in for a TCP port."""
        rule = ("INPUT", "-p", "tcp", "-m", "tcp", "--dport", port, "-j")
        for target in ("DROP", "REJECT"):
            if f"-A {' '.join(map(str, rule))} {target}" in self.filter():
                self._iptables("-D", *rule, target)
        if how != "off":
            self._iptables("-I", *rule, how.upper())

    def filter(self) -> str:
        """The packet filter's rules, without their counters."""
        lines = self._inside("iptables-save").splitlines()
        return "\n".join(re.sub(r"\[\d+:\d+\]", "", line) for line in lines if not line.startswith("#"))

    def only_from(self, address: str, port: int) -> None:
        """Drop what comes in for a TCP port from anywhere but one address."""
        self._iptables("-I", "INPUT", "!", "-s", address, "-p", "tcp", "--dport", port, "-j", "DROP")

    def _iptables(self, *arguments: object) -> None:
        self._inside("iptables", "-w", *arguments)

    def _inside(self, *command: object) -> str:
        return sh("ip", "netns", "exec", self._network.namespace(self._host), *command)
