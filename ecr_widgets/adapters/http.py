"""HTTP with the user's network settings: proxies and certificate authorities from the usual variables.

Source: proxies as urllib and requests read them (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, upper and lower case); bundles as
the AWS SDKs (`AWS_CA_BUNDLE`), requests (`REQUESTS_CA_BUNDLE`) and OpenSSL (`SSL_CERT_FILE`) read them.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import urllib3

from ecr_widgets.errors import SettingsError
from ecr_widgets.model.loopback import is_loopback
from ecr_widgets.model.paths import is_folder, why_unseen

BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


class EnvironmentPools(urllib3.PoolManager):
    """Connection pools that use the proxies and trust the certificate authorities that the environment names.

    Args:
        verify: False to accept any certificate.

    Raises:
        SettingsError: A variable names a bundle that cannot be read, or a proxy that cannot be used.
    """

    def __init__(self, *, verify: bool = True, **more: Any) -> None:
        super().__init__(**(more if verify else more | {"cert_reqs": "CERT_NONE"}))
        bundles()  # report a missing one before anything is sent
        if not verify:
            accept_silently()
        self._verify = verify
        self._proxied: dict[str, urllib3.ProxyManager] = {}

    # The name and the positional arguments are urllib3's.
    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        redirect: bool = True,  # noqa: FBT001, FBT002
        **more: Any,
    ) -> urllib3.BaseHTTPResponse:
        """Send through the proxy for this address, or directly."""
        proxy = proxy_for(url)
        if proxy is None:
            return super().urlopen(method, url, redirect, **more)
        if proxy not in self._proxied:
            self._proxied[proxy] = _through(proxy, self.connection_pool_kw | self._trust())
        return self._proxied[proxy].urlopen(method, url, redirect, **more)

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> urllib3.HTTPConnectionPool:
        given = self.connection_pool_kw if request_context is None else request_context
        # Plain http, as to the sandbox, needs no authorities.
        trust = self._trust() if scheme == "https" else {}
        return super()._new_pool(scheme, host, port, {**given, **trust})

    def _trust(self) -> dict[str, Any]:
        return {"ssl_context": trusted()} if self._verify else {}


def accept_silently() -> None:
    """Have urllib3 say nothing at each request about certificates that are not verified: the user has said so."""
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def proxy_for(url: str) -> str | None:
    """The proxy for a request; None to connect directly, as always to this machine."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or is_loopback(parts.netloc):
        return None
    # Networks in NO_PROXY (10.0.0.0/8) work as in Docker; the standard library knows names only.
    from requests.utils import should_bypass_proxies

    if should_bypass_proxies(url, no_proxy=None):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def bundles(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The files and folders with certificate authorities that are set, by variable.

    Raises:
        SettingsError: One of them cannot be read.
    """
    named = {name: environ[name] for name in BUNDLE_VARIABLES if environ.get(name)}
    for name, path in named.items():
        if why := why_unseen(path):
            raise SettingsError(
                f"{name} names {path!r}, which cannot be read: {why}",
                hint="name a file of certificates in PEM form, or unset it",
            )
    return named


def trusted() -> ssl.SSLContext:
    """A context that trusts the machine's certificate authorities and those that the user added.

    Raises:
        SettingsError: A bundle cannot be read.
    """
    return _trusted(tuple(bundles().items()))


@cache
def _trusted(added: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    # Loading the machine's own takes 20 ms: done once for all clients. A file that several variables name is loaded once.
    context = ssl.create_default_context()
    for path, name in {path: name for name, path in reversed(added)}.items():
        folder = path if is_folder(path) else None
        try:
            context.load_verify_locations(cafile=None if folder else path, capath=folder)
        except OSError as error:
            raise SettingsError(
                f"{name} names {path!r}, which holds no certificates: {error}",
                hint="name a file of certificates in PEM form, or unset it",
            ) from error
    return context


def _through(proxy: str, pool: Mapping[str, Any]) -> urllib3.ProxyManager:
    try:
        parts = urlsplit(proxy)
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        urllib3.util.parse_url(proxy)  # stricter about the host
    except (ValueError, urllib3.exceptions.LocationParseError):
        usable = False
    if not usable:
        raise SettingsError(
            "HTTPS_PROXY or HTTP_PROXY is not an http or https address",
            hint="write it as http://HOST:PORT",
        )
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **pool)


def of_time(error: BaseException) -> str:
    """The beginning of a hint if a certificate is refused for its time, which a wrong clock causes; else empty."""
    said = str(error)
    if "certificate is not yet valid" in said or "certificate has expired" in said:
        return "check this machine's clock; if it is right, "
    return ""
