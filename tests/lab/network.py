"""The lab's network: a bridge with the subnet 10.66.NUMBER.0/24, NAT to the Debian archive, and a namespace a host."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.command import sh
from tests.lab.image import archives
from tests.lab.place import RUN, locked

_BRIDGES = "mlab"
_IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# A namespace shares its parent's table of connections unless that says otherwise. Who reads /proc/net/tcp goes through
# all of it: 6 ms of CPU time for this machine's.
_SMALL_TABLE = 'echo 512 > /proc/sys/net/ipv4/tcp_child_ehash_entries; exec ip netns add "$1"'


class Network:
    """All that is here has the lab's number in its name, so that taking it down needs no state."""

    def __init__(self, number: int) -> None:
        self.bridge = f"{_BRIDGES}{number}"
        self.subnet = f"10.66.{number}.0/24"
        self.gateway = f"10.66.{number}.1"
        self._number = number
        self._chains = {"filter": f"MLAB{number}-FWD", "nat": f"MLAB{number}-NAT"}
        # What is for a host never leaves this machine, not even while the bridge is gone.
        self._guard_route = ("unreachable", self.subnet, "metric", "4000000000")

    def ip(self, host: int) -> str:
        return f"10.66.{self._number}.{10 + host}"

    def mac(self, host: int) -> str:
        """Fixed, so that this machine's ARP entries stay true when a host is made anew."""
        return f"02:00:0a:42:{self._number:02x}:{host:02x}"

    def veth(self, host: int) -> str:
        return f"{self.bridge}v{host}"

    def namespace(self, host: int) -> str:
        return f"{self.bridge}-h{host}"

    def up(self) -> None:
        if os.path.exists(f"/sys/class/net/{self.bridge}"):
            return
        sh("ip", "link", "add", self.bridge, "address", f"02:00:0a:43:{self._number:02x}:01", "type", "bridge")
        _no_ipv6(self.bridge)
        sh("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        sh("ip", "link", "set", self.bridge, "up")
        sh("ip", "route", "add", *self._guard_route)
        with locked("network"):
            _forward_packets()
        self._nat()

    def _nat(self) -> None:
        forward, nat = self._chains["filter"], self._chains["nat"]
        for table, chain in self._chains.items():
            _iptables("-t", table, "-N", chain)
        _iptables("-t", "filter", "-I", "FORWARD", "1", "-j", forward)
        _iptables("-t", "nat", "-I", "POSTROUTING", "1", "-s", self.subnet, "!", "-o", self.bridge, "-j", nat)
        _iptables("-t", "nat", "-A", nat, "-j", "MASQUERADE")
        # Between hosts, too: bridge-nf-call-iptables may be on.
        _iptables("-A", forward, "-i", self.bridge, "-o", self.bridge, "-j", "ACCEPT")
        answers = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
        _iptables("-A", forward, "-o", self.bridge, *answers, "-j", "ACCEPT")
        outward = ("-A", forward, "-i", self.bridge)
        for resolver in _resolvers():
            for protocol in ("udp", "tcp"):
                _iptables(*outward, "-d", resolver, "-p", protocol, "--dport", "53", "-j", "ACCEPT")
        web = ("-p", "tcp", "-m", "multiport", "--dports", "80,443")
        for address in _archive_addresses():
            _iptables(*outward, "-d", address, *web, "-j", "ACCEPT")
        for direction in ("-i", "-o"):
            _iptables("-A", forward, direction, self.bridge, "-j", "REJECT", "--reject-with", "icmp-admin-prohibited")

    def add(self, host: int) -> None:
        """Give a host its namespace and plug its cable into the bridge."""
        namespace, veth = self.namespace(host), self.veth(host)
        with locked("network"):  # the first one ever makes the directory a mount point
            sh("unshare", "--net", "sh", "-c", _SMALL_TABLE, "-", namespace)
        peer = ("peer", "name", "eth0", "address", self.mac(host), "netns", namespace)
        sh("ip", "link", "add", veth, "type", "veth", *peer)
        _no_ipv6(veth)
        sh("ip", "link", "set", veth, "master", self.bridge, "up")
        commands = (
            "link set lo up",
            f"addr add {self.ip(host)}/24 broadcast + dev eth0",
            "link set eth0 up",
            f"route add default via {self.gateway}",
        )
        sh("ip", "-n", namespace, "-batch", "-", stdin="\n".join(commands) + "\n")
        # A fresh namespace copies this machine's ip_forward; a fresh server's is off until dockerd comes.
        settings = ("net.ipv4.ip_forward=0", "net.ipv6.conf.all.disable_ipv6=0")
        sh("ip", "netns", "exec", namespace, "sysctl", "-qw", *settings)

    def remove(self, host: int) -> None:
        """Take away what there is of a host's cable, and of its namespace."""
        sh("ip", "link", "del", self.veth(host), check=False)
        if self.namespace(host) in self._namespaces():
            sh("ip", "netns", "del", self.namespace(host))

    def down(self) -> None:
        for namespace in self._namespaces():
            sh("ip", "netns", "del", namespace)
        for link in self._links():
            sh("ip", "link", "del", link, check=False)
        sh("ip", "route", "del", *self._guard_route, check=False)
        for table, chain in self._chains.items():
            rules = sh("iptables-save", "-t", table).splitlines()
            for rule in rules:
                if rule.startswith("-A") and rule.endswith(f"-j {chain}"):
                    _iptables("-t", table, "-D", *rule.split()[1:])
            if any(rule.startswith(f":{chain} ") for rule in rules):
                _iptables("-t", table, "-F", chain)
                _iptables("-t", table, "-X", chain)
        with locked("network"):
            _stop_forwarding()

    def left(self) -> list[str]:
        """What is still there of it."""
        rules = [rule for rule in sh("iptables-save").splitlines() if f"MLAB{self._number}-" in rule]
        routes = [route for route in sh("ip", "route").splitlines() if f" {self.subnet} " in f" {route} "]
        return [f"link {link}" for link in self._links()] + self._namespaces() + rules + routes

    def _links(self) -> list[str]:
        veth = f"{self.bridge}v"
        return [link for link in os.listdir("/sys/class/net") if link == self.bridge or link.startswith(veth)]

    def _namespaces(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return [name for name in os.listdir("/run/netns") if name.startswith(f"{self.bridge}-")]
        return []


def _iptables(*arguments: str) -> None:
    sh("iptables", "-w", *arguments)


def _no_ipv6(link: str) -> None:
    Path(f"/proc/sys/net/ipv6/conf/{link}/disable_ipv6").write_text("1")


def _forward_packets() -> None:
    if _IP_FORWARD.read_text().strip() == "0":
        RUN.mkdir(parents=True, exist_ok=True)
        (RUN / "ip_forward_was_off").touch()
        _IP_FORWARD.write_text("1")


def _stop_forwarding() -> None:
    """Put this machine's ip_forward back as it was, once no lab needs it."""
    if any(link.startswith(_BRIDGES) for link in os.listdir("/sys/class/net")):
        return
    if (RUN / "ip_forward_was_off").exists():
        _IP_FORWARD.write_text("0")
        (RUN / "ip_forward_was_off").unlink()


def _resolvers() -> list[str]:
    words = [line.split() for line in Path("/etc/resolv.conf").read_text().splitlines()]
    return [word[1] for word in words if word[:1] == ["nameserver"] and ":" not in word[1]]


def _archive_addresses() -> list[str]:
    found = set()
    for name in {urlsplit(url).hostname for url in archives()}:
        with contextlib.suppress(socket.gaierror):  # offline, a host boots, too
            found |= {str(info[4][0]) for info in socket.getaddrinfo(name, 80, socket.AF_INET)}
    return sorted(found)
