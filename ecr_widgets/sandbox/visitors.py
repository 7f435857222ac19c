"""Who may ask the servers of the sandbox anything: programs of this machine, and no page of the web."""

from __future__ import annotations


def refuse_visitor(
    *, host: str | None, origin: str | None, own_host: str, any_port: bool = False
) -> str | None:
    """Why a request is not answered, as text for who sent it; None where it is.

    A browser sends an origin with what a page may read or change, and with a name that was pointed at this machine
    (DNS rebinding) it sends that name.

    Args:
        own_host: Address and port where the server answers, as clients of ours know it.

        any_port: Whether another port of that address will do, as a program between a client and this server has one.
    """
    if origin is not None:
        return f"requests of web pages are refused, and this one has an Origin: {origin!r:.80}"
    if host != own_host and not (any_port and (host or "").partition(":")[0] == own_host.partition(":")[0]):
        return f"this server is {own_host}, and the request is for {host!r:.80}"
    return None
