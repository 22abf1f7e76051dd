"""Who is at the other end of a connection, behind a proxy that is trusted or not."""

from __future__ import annotations

import functools
import ipaddress

from starlette.requests import Request

__all__ = ["address_of", "host_of", "is_https", "network_of"]


def address_of(request: Request) -> str:
    """The address that a request came from; empty where it is not known."""
    forwarded = _forwarded(request, "x-forwarded-for")
    if forwarded:
        return forwarded
    return request.client.host if request.client else ""


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What counts as one sender: an IPv6 network has more addresses than can be counted one by one."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((int(known), 64), strict=False).network_address)


def is_https(request: Request) -> bool:
    """Whether the browser's connection is encrypted, this one or the one to the proxy."""
    return request.url.scheme == "https" or _forwarded(request, "x-forwarded-proto").lower() == "https"


def host_of(request: Request) -> str:
    """The host that the browser has named."""
    return _forwarded(request, "x-forwarded-host") or request.headers.get("host", "")


def _forwarded(request: Request, name: str) -> str:
    """What the nearest proxy has said: the last of a list, for those before are what the client sent."""
    if not request.app.state.service.trust_proxy:
        return ""
    return ",".join(request.headers.getlist(name)).rpartition(",")[2].strip()
