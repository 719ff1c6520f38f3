"""Network: the loopback of a network namespace of one's own, where nothing else is."""

import fcntl
import socket
import struct

from ovd.walls.failure import wall

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    """Afterwards 127.0.0.1 answers, for those in this namespace. Needs the rights of its maker."""
    with wall("network"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
