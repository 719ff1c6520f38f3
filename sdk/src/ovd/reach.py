"""Reach: the hosts that an application asks for, as people write them and as they are compared: `host:port`."""

from typing import Iterable, List, NamedTuple

PORT = 443  # where none is written
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = rf"(?=[^:]{{1,253}}(?::|$)){_LABEL}(?:\.{_LABEL})*\.?"
_NUMBER = r"[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]"
PATTERN = rf"(?:{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?:{_NUMBER}))?"
SAID = "a host with a port, such as api.example.org:443 or 203.0.113.7:8080; without a port it is 443"


class Host(NamedTuple):
    """A place in the network. `name` is in lower case; an IPv6 address stands without brackets."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


def parse(text: str) -> Host:
    """The host of a text that fits PATTERN. An IPv6 address that is none stays as written: nothing answers there."""
    name, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not name:
        name, port = text, ""
    return Host(_address(name[1:-1]) if name.startswith("[") else name.rstrip(".").lower(), int(port or PORT))


def _address(text: str) -> str:
    import ipaddress  # here, as processes need it rarely and start often

    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return text.lower()


def normal(texts: Iterable[str]) -> List[str]:
    """Each as `host:port`, once, in the order given."""
    return list(dict.fromkeys(str(parse(text)) for text in texts))


def granted(wished: Iterable[str], allowed: Iterable[str]) -> List[str]:
    """What is both asked for and allowed, as `host:port`, in the order asked."""
    may = set(normal(allowed))
    return [host for host in normal(wished) if host in may]
