"""The HTTP transport under the client: connections, certificates, proxy, headers, and what its errors mean."""

import asyncio
import ipaddress
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from pipeline.errors import PortalError, SettingsError
from pipeline.harvest.connections import Address, Connection, Header
from pipeline.harvest.fetched import ErrorKind
from pipeline.harvest.rate_limit import SendSlot
from pipeline.setting_values import is_web_address
from pipeline.settings import Settings

Origin = tuple[str, str, int]
"""Scheme, host and port."""

_PLAIN: Final = re.compile(r"(https?://[^/?#\\@]+)(/(?:[\w/=&?-]|(?<!/)\.)*)", re.ASCII)
"""A URL in which nothing has to be quoted or resolved: that of nearly every page. The others cost six times as much."""
_FAMILY_DELAY: Final = 0.25  # seconds until the next address of a host is tried beside the first, as RFC 8305 advises
_LEGACY_SERVER_CONNECT: Final = 0x4  # of OpenSSL 3; Python names it from 3.12 on
_OLD_TLS: Final = frozenset(
    (
        *("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"),
        *(
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
            "DH_KEY_TOO_SMALL",
            "EE_KEY_TOO_SMALL",
        ),
        *("LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED", "WRONG_SIGNATURE_TYPE", "NO_CIPHERS_AVAILABLE"),
    )
)
"""OpenSSL's reasons where a server can only do what today's defaults refuse."""


class Connections:
    """The connections to the portal, kept open from one request to the next.

    Raises PortalError for certificates that cannot be read, SettingsError for a proxy that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        if settings.ca_file:  # what is wrong with it is said before the first request
            self._tls = _tls_context(settings)
        self._most = settings.concurrency
        self._connect_timeout = settings.connect_timeout
        self._read_timeout = settings.read_timeout
        self._open: list[Connection] = []
        self._is_closed = False
        proxy = proxy_of(settings)
        self._proxy = httpx.Proxy(proxy) if proxy else None
        self._for_proxy: tuple[Header, ...] = ()
        if self._proxy and self._proxy.raw_auth:
            self._for_proxy = ((b"Proxy-Authorization", b"Basic " + b64encode(b":".join(self._proxy.raw_auth))),)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made where a connection needs it: to read all authorities costs as much as thirty pages."""
        return _tls_context(self._settings)

    def idle(self, origin: Origin) -> Connection | None:
        """An open connection to an origin that is free."""
        for connection in self._open:
            if connection.origin == origin and connection.is_usable():
                return connection
        return None

    async def opened(self, address: Address, slot: SendSlot) -> Connection:
        """A new connection, through the proxy where there is one. Raises httpx.TransportError.

        slot: that of the request, which others may use while the connection is being opened
        """
        scheme = address.origin[0]
        if scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol(f"only http and https are asked for, not {scheme!r}")
        self._make_room()
        first = _origin(self._proxy.url) if self._proxy else address.origin
        connection = await self._connected(first, address.origin, slot)
        self._open.append(connection)
        if self._is_closed:  # while it was being opened
            connection.close()
        if self._proxy and scheme == "http":
            connection.forwarded_to, connection.added_headers = b"http://" + address.netloc, self._for_proxy
        if first[0] == "https":
            await self._encrypt(connection, first[1])
        if self._proxy and scheme == "https":
            await self._tunnel(connection, slot)
        return connection

    def _make_room(self) -> None:
        """Close what cannot be used again, and what is idle where there are as many as there may be."""
        self._open = [one for one in self._open if not one.is_closed]
        for connection in list(self._open):
            if connection.idle_since and (len(self._open) >= self._most or not connection.is_usable()):
                connection.close()
                self._open.remove(connection)

    async def _connected(self, to: Origin, origin: Origin, slot: SendSlot) -> Connection:
        loop = asyncio.get_running_loop()
        slot.leave()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: Connection(origin, self._read_timeout), *to[1:], happy_eyeballs_delay=_FAMILY_DELAY
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection

    async def _encrypt(self, connection: Connection, host: str) -> None:
        """Have a connection encrypted from here on. Raises httpx.ConnectTimeout and ConnectError."""
        loop, plain = asyncio.get_running_loop(), connection.transport
        try:
            async with asyncio.timeout(self._connect_timeout):
                if plain is None or plain.is_closing():
                    raise ConnectionResetError("the connection was closed")
                encrypted = await loop.start_tls(plain, connection, self._tls, server_hostname=host)
        except TimeoutError as error:
            connection.close()
            raise httpx.ConnectTimeout(str(error)) from error
        except OSError as error:  # among them all errors of TLS
            connection.close()
            raise httpx.ConnectError(str(error)) from error
        if encrypted is None:
            connection.close()
            raise httpx.ConnectError("the connection was closed while TLS was being agreed")
        connection.transport = encrypted

    async def _tunnel(self, connection: Connection, slot: SendSlot) -> None:
        """Have the proxy lead a connection on to its origin, and encrypt it from there."""
        _, host, port = connection.origin
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = (b"Host", place.encode()), (b"Accept", b"*/*"), *self._for_proxy
        answer = await connection.exchange("CONNECT", place.encode(), headers, slot)
        if not 200 <= answer.status_code < 300:
            connection.close()
            raise httpx.ProxyError(f"{answer.status_code} {answer.reason.decode('ascii', 'ignore')}")
        connection.begin_tunnel()
        await self._encrypt(connection, host)

    def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        for connection in self._open:
            connection.close()


def address_of(url: str) -> Address:
    """Where a URL leads. Raises httpx.InvalidURL."""
    if plain := _PLAIN.fullmatch(url):
        origin, netloc = _host_of(plain[1])
        return Address(origin, netloc, plain[2].encode())
    parsed = httpx.URL(url)
    return Address(_origin(parsed), parsed.netloc, parsed.raw_path)


@lru_cache(maxsize=16)
def _host_of(url: str) -> tuple[Origin, bytes]:
    parsed = httpx.URL(url)
    return _origin(parsed), parsed.netloc


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80)


def proxy_of(settings: Settings) -> str | None:
    """The address of the proxy for the portal; None where it is reached directly. Raises SettingsError."""
    if settings.proxy == "none":
        return None
    parts = urlsplit(settings.portal)
    if _is_loopback(parts.hostname or ""):
        return None
    if settings.proxy:
        return settings.proxy
    proxies = getproxies_environment()
    if proxy_bypass(parts.netloc):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    address = proxy if "://" in proxy else f"http://{proxy}"
    if not is_web_address(address):
        raise SettingsError(
            f"the environment names the proxy {without_password(address)}, which is none that can be used; write an "
            "address such as http://proxy.example.org:3128 into the setting proxy, or none to go without"
        )
    return address


def without_password(address: str | None) -> str:
    """A proxy's address as messages show it."""
    scheme, _, rest = (address or "").partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def request_headers(settings: Settings) -> tuple[Header, ...]:
    """The headers of every request."""
    accepted = (b"Accept", b"text/html,*/*;q=0.5"), (b"Accept-Encoding", b"gzip, deflate")
    return (b"User-Agent", user_agent_of(settings.contact).encode("latin-1", "replace")), *accepted


def user_agent_of(contact: str) -> str:
    """The User-Agent header: name, version, and where to reach the operator."""
    try:
        who = f"bma-progress/{version('bma-progress')}"
    except PackageNotFoundError:  # run from its source folder, without installing
        who = "bma-progress"
    return f"{who} (+{contact})" if contact else who


def explain(error: httpx.InvalidURL | httpx.TransportError | OSError, settings: Settings) -> tuple[ErrorKind, str]:
    """The kind of a transport's error, and what it means in a few words."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return "redirect", f"no address that can be asked for ({error})"
    if isinstance(error, httpx.ConnectTimeout):
        return "timeout", f"no connection within {settings.connect_timeout:g} s"
    if isinstance(error, httpx.TimeoutException):
        return "timeout", f"no answer for {settings.read_timeout:g} s"
    text = str(error)
    if isinstance(error, httpx.RemoteProtocolError):
        if "incomplete" in text or "without sending complete" in text:
            return "truncated", f"the answer was cut off ({text})"
        return "transport", f"the answer was no HTTP, or none ({text})"
    proxy = proxy_of(settings)
    if isinstance(error, httpx.ProxyError):
        return "transport", f"the proxy {without_password(proxy)} did not let the request through ({text})"
    why = f", through the proxy {without_password(proxy)}" if proxy else ""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "name its authority's certificates with ca_file if you trust it"
            return "certificate", f"the portal's certificate is not trusted: {cause.verify_message}; {hint}"
        if isinstance(cause, ssl.SSLError) and cause.reason in _OLD_TLS and not settings.allow_old_tls:
            reason = cause.reason.lower().replace("_", " ")
            return (
                "certificate",
                f"the portal's encryption is too old ({reason}); allow it with the setting allow_old_tls",
            )
        if isinstance(cause, socket.gaierror):
            return "transport", f"the host was not found ({cause.strerror}){why}"
        if isinstance(cause, ConnectionRefusedError):
            return "transport", f"the connection was refused{why}"
    return "transport", f"the connection failed ({text or type(error).__name__}){why}"


async def leads_inside(url: str) -> bool:
    """True where an address leads to this machine or its own network, not to the public one. Unknown hosts lead nowhere."""
    try:
        host = urlsplit(url).hostname or ""
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except (OSError, ValueError):
        return False
    return any(not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _tls_context(settings: Settings) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    if settings.allow_old_tls:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.options |= _LEGACY_SERVER_CONNECT
    if settings.ca_file:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError):
            raise PortalError(
                f"ca_file {settings.ca_file} holds no certificates that can be read; correct the setting"
            ) from None
    return context
