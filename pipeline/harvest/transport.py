"""The HTTP transport under the client: connections, certificates, headers, and what its errors mean."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx

from pipeline.errors import PortalError
from pipeline.harvest.connections import AsyncioBackend
from pipeline.harvest.fetched import ErrorKind
from pipeline.harvest.proxy import proxy_of, without_password
from pipeline.settings import Settings

_KEEPALIVE: Final = 4.0  # Apache closes an idle connection after 5 s; a request sent just then would fail
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


_ERRORS: Final = {
    getattr(httpcore, name): getattr(httpx, name)
    for name in (
        *("ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout"),
        *("ConnectError", "ReadError", "WriteError", "ProxyError"),
        *("UnsupportedProtocol", "LocalProtocolError", "RemoteProtocolError"),
    )
}
"""httpx's names of httpcore's errors."""


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(_ERRORS) as error:
        raise _ERRORS[type(error)](str(error)) from error


class _Body(httpx.AsyncByteStream):
    """The body of an answer as it arrives."""

    def __init__(self, stream: Any) -> None:  # httpcore's streams have no public name
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


class PooledTransport(httpx.AsyncBaseTransport):
    """httpx's requests over a pool of httpcore's connections, which may be any."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._connections = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its answer's body is not read yet. Raises httpx.TransportError."""
        url = request.url
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(
            request.method, address, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        with _errors_of_httpx():
            answer = await self._connections.handle_async_request(sent)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()


def open_transport(settings: Settings) -> httpx.AsyncBaseTransport:
    """A transport for httpx, without its client: cookies, redirects and decoding are done in this package or not at all,
    and a page costs a fifth less CPU. Raises PortalError for certificates that cannot be read, SettingsError for a proxy
    that cannot be used.
    """
    limits: dict[str, Any] = {
        "ssl_context": _tls_context(settings),
        "max_connections": settings.concurrency,
        "max_keepalive_connections": settings.concurrency,
        "keepalive_expiry": _KEEPALIVE,
        "network_backend": AsyncioBackend(),
    }
    proxy = proxy_of(settings)
    if proxy is None:
        return PooledTransport(httpcore.AsyncConnectionPool(**limits))
    address = httpx.Proxy(proxy)
    host = httpcore.URL(scheme=address.url.raw_scheme, host=address.url.raw_host, port=address.url.port, target=b"/")
    return PooledTransport(httpcore.AsyncHTTPProxy(proxy_url=host, proxy_auth=address.raw_auth, **limits))


def request_headers(settings: Settings) -> httpx.Headers:
    """The headers of every request."""
    user_agent = user_agent_of(settings.contact)
    return httpx.Headers(
        {"User-Agent": user_agent, "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
    )


def user_agent_of(contact: str) -> str:
    """The User-Agent header: name, version, and where to reach the operator."""
    try:
        who = f"bma-progress/{version('bma-progress')}"
    except PackageNotFoundError:  # run from its source folder, without installing
        who = "bma-progress"
    return f"{who} (+{contact})" if contact else who


def timeouts(settings: Settings) -> dict[str, float | None]:
    """The time-outs of each request, as httpx's transport reads them."""
    return {
        "connect": settings.connect_timeout,
        "read": settings.read_timeout,
        "write": settings.read_timeout,
        "pool": None,  # the client limits the requests under way, so none waits for a connection
    }


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
    return any(not ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _tls_context(settings: Settings) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
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
