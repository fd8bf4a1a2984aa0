"""Send Wake-on-LAN packets.

Format: AMD's Magic Packet Technology, publication 20213.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress

from machinectl.errors import Hint, MachineError, UsageError

# The card looks for the packet in all traffic; UDP's discard port is customary.
PORT = 9
EVERYBODY = "255.255.255.255"
# Prints the MAC address of the network card with the default route.
PRINT_MAC_ADDRESS = (
    """device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route); """
    """[ -z "$device" ] || cat /sys/class/net/"$device"/address"""
)
ADDRESS = re.compile(r"([0-9a-f]{2})([:-])(?:[0-9a-f]{2}\2){4}[0-9a-f]{2}", re.IGNORECASE)


def magic_packet(mac: str) -> bytes:
    """Accept 12:34:56:78:9a:bc or dashes. Raises UsageError."""
    if not ADDRESS.fullmatch(mac):
        raise UsageError(f"{mac!r} is not a network card's address (MAC)", Hint("Write it as 12:34:56:78:9a:bc"))
    return b"\xff" * 6 + bytes.fromhex(re.sub("[:-]", "", mac)) * 16


def send_wake_packet(mac: str, host: str) -> None:
    """Broadcast, and send to the host, for routers that remember its MAC. Raises MachineError if that fails."""
    data = magic_packet(mac)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # A broadcast leaves by the default route, unless it is bound to another card's address.
        with suppress(OSError):
            sender.bind((local_address_towards(host), 0))
        with suppress(OSError):
            sender.sendto(data, (host, PORT))
        try:
            sender.sendto(data, (EVERYBODY, PORT))
        except OSError as exc:
            raise MachineError(
                f"Cannot send the packet that wakes {mac}: {exc.strerror}",
                Hint("See this computer's network", "ip route"),
            ) from exc


def local_address_towards(host: str) -> str:
    """Send nothing. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, PORT))
        address: str = probe.getsockname()[0]
        return address
