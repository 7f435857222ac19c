"""Who may call the sandbox's servers: programs on this machine, but no web pages."""

from __future__ import annotations


def refuse_visitor(
    *, host: str | None, origin: str | None, own_host: str, any_port: bool = False
) -> str | None:
    """Why a request is refused, as text for its sender; None if it is not.

    A browser sends an Origin with requests whose answer a page may read or that may change something; with a name pointed
    at this machine (DNS rebinding) it sends that name as Host.

    Args:
        own_host: The server's address and port, as our clients know it.

        any_port: Whether any port at that address will do, as a program between a client and this server has its own.
    """
    if origin is not None:
        return f"requests of web pages are refused, and this one has an Origin: {origin!r:.80}"
    if host != own_host and not (any_port and (host or "").partition(":")[0] == own_host.partition(":")[0]):
        return f"this server is {own_host}, and the request is for {host!r:.80}"
    return None
