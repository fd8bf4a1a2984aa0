"""Record the frames on a network interface, as root: what goes over the wire."""

from __future__ import annotations

import select
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

# linux/if_ether.h; linux/socket.h: a buffer larger than the system's limit, for root.
_ETH_P_ALL, _SO_RCVBUFFORCE = 3, 33
_BUFFER = 64 << 20
_ETHERNET, _IPV4, _TCP = 14, b"\x08\x00", 6

Flow = tuple[str, int, str, int]


class Wiretap:
    """Collects what each TCP connection carries, while it is entered: one stream for each direction."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._socket.bind((interface, _ETH_P_ALL))
        self._ended, self._end = socket.socketpair()
        self._frames: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        self._thread.join()
        self._socket.close()
        self._ended.close()

    def _listen(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket, self._ended], [], [])
            if self._socket in ready:
                self._frames.append(self._socket.recv(1 << 17))
            elif ready:
                return

    @property
    def flows(self) -> dict[Flow, bytes]:
        """What was sent by an address and port to another; segments in their order, each once."""
        segments: dict[Flow, dict[int, bytes]] = {}
        for frame in self._frames:
            if frame[12:_ETHERNET] != _IPV4 or frame[_ETHERNET + 9] != _TCP:
                continue
            packet = frame[_ETHERNET : _ETHERNET + int.from_bytes(frame[_ETHERNET + 2 : _ETHERNET + 4])]
            segment = packet[(packet[0] & 15) * 4 :]
            ends = (socket.inet_ntoa(packet[12:16]), segment[:2], socket.inet_ntoa(packet[16:20]), segment[2:4])
            flow = (ends[0], int.from_bytes(ends[1]), ends[2], int.from_bytes(ends[3]))
            data = segment[(segment[12] >> 4) * 4 :]
            segments.setdefault(flow, {})[int.from_bytes(segment[4:8])] = data
        return {flow: b"".join(parts[number] for number in sorted(parts)) for flow, parts in segments.items()}
