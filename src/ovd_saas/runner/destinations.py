"""Destinations: which addresses of the network a name may stand for, so that no name leads back into our own house."""

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from ovd.reach import Host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

RESOLVE_SECONDS = 10.0
# Where clouds tell a machine its secrets, beside the link-local and private places that are refused anyway.
METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_OF_ONES_OWN = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215; older Pythons do not know it
# Names are looked up by threads of their own: a slow name server keeps nothing else of the runner waiting.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="names")


class NoWay(Exception):
    """There is no address that may be reached; the text says why."""


async def resolve(host: Host, allowed: Collection[Host]) -> list[str]:
    """The addresses of a host that may be reached, in the order to try them. Raises NoWay.

    `allowed` are the hosts of the list; a private address is reached only where the list names that very address.
    """
    found = await _look_up(host)
    open_ = [address for address in found if Host(str(address), host.port) in allowed or why_not(address) is None]
    if not open_:
        told = "; ".join(f"{address} is {why_not(address)}" for address in found)
        raise NoWay(f"{told}. Only a list that names the address itself opens it.")
    return [str(address) for address in open_]


async def _look_up(host: Host) -> list[Address]:
    try:
        return [ipaddress.ip_address(host.name)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    look = loop.run_in_executor(_threads, _addresses, host)
    try:
        return await asyncio.wait_for(look, RESOLVE_SECONDS)
    except TimeoutError:
        raise NoWay(f"the name was not resolved within {RESOLVE_SECONDS:g} s.") from None
    except (OSError, UnicodeError) as error:
        raise NoWay(f"the name cannot be resolved: {error}.") from None


def _addresses(host: Host) -> list[Address]:
    found = socket.getaddrinfo(host.name, host.port, type=socket.SOCK_STREAM)
    names = [str(place[4][0]).partition("%")[0] for place in found]
    return list(dict.fromkeys(ipaddress.ip_address(name) for name in names))


def why_not(address: Address) -> str | None:
    """What kind of address it is, if of one that leads somewhere private; None when anybody may reach it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            kind = why_not(inner) if address.ipv4_mapped is None else "an IPv4 address in the clothes of IPv6"
            return f"{kind}: {inner}" if kind else None
        if address.is_site_local or address in _NAT64_OF_ONES_OWN:
            return "private"
    kinds = (
        ("unspecified", address.is_unspecified),
        ("this machine", address.is_loopback or _is_ours(address)),
        ("link-local", address.is_link_local),
        ("multicast", address.is_multicast),
        ("where a cloud keeps its secrets", address in METADATA),
        ("private", address.is_private),
        ("reserved", address.is_reserved or not address.is_global),
    )
    return next((kind for kind, is_so in kinds if is_so), None)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that this one leads to, by any of the ways to write one inside the other."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def _is_ours(address: Address) -> bool:
    """Whether an interface of this machine has it: the kernel then takes it as the sender's as well. Sends nothing."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return bool(probe.getsockname()[0] == str(address))
    except OSError:
        return False
