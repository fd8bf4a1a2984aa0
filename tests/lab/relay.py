"""A bad line: carry frames between a host's veth and a tap on the bridge, late or not at all.

Run by its path: `relay.py VETH TAP BRIDGE DELAY_MS LOSS_PERCENT READY_FILE`. It stands in for tc's netem, which
kernels of small virtual machines lack; delay and loss are for each direction.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

# linux/if_tun.h: a tap whose frames carry a virtio header, and takes unfinished checksums and large TCP segments.
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_TUN_F_CSUM, _TUN_F_TSO4, _TUN_F_TSO6 = 0x01, 0x02, 0x04
# linux/if_packet.h: the same header on the socket's frames, and only those that come in.
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ETH_P_ALL = 3


def _open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR)
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH", name.encode(), flags))
    fcntl.ioctl(tap, _TUNSETOFFLOAD, _TUN_F_CSUM | _TUN_F_TSO4 | _TUN_F_TSO6)
    return tap


def _open_veth(name: str) -> socket.socket:
    veth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    veth.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    veth.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    veth.bind((name, _ETH_P_ALL))
    return veth


def _splice(veth: str, tap: str, bridge: str) -> None:
    subprocess.run(["ip", "link", "set", veth, "nomaster", "arp", "off", "promisc", "on"], check=True)
    subprocess.run(["ip", "link", "set", tap, "master", bridge, "up"], check=True)
    Path(f"/proc/sys/net/ipv6/conf/{tap}/disable_ipv6").write_text("1")


def relay(veth: str, tap: str, bridge: str, ready: Path, *, delay_ms: float, loss_percent: float) -> None:
    ends = (_open_tap(tap), _open_veth(veth).detach())
    other = dict(zip(ends, reversed(ends), strict=True))
    _splice(veth, tap, bridge)
    ready.touch()
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for source in select.select(ends, [], [], timeout)[0]:
            frame = os.read(source, 70000)
            if random.random() * 100 >= loss_percent:
                number += 1
                heapq.heappush(waiting, (time.monotonic() + delay_ms / 1000, number, other[source], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(waiting)
            with contextlib.suppress(OSError):  # the other end is down: lost
                os.write(target, frame)


if __name__ == "__main__":
    _veth, _tap, _bridge, _delay_ms, _loss_percent, _ready = sys.argv[1:]
    relay(_veth, _tap, _bridge, Path(_ready), delay_ms=float(_delay_ms), loss_percent=float(_loss_percent))
