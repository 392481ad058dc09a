"""The HTTP transport under the client: connections, certificates, headers, and what its errors mean."""

import socket
import ssl
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import httpx

from pipeline.errors import PortalError
from pipeline.harvest.fetched import ErrorKind
from pipeline.settings import Settings

_KEEPALIVE: Final = 4.0  # Apache closes an idle connection after 5 s; a request sent just then would fail


def open_transport(settings: Settings) -> httpx.AsyncHTTPTransport:
    """httpx's transport without its client: cookies, redirects and decoding are done in this package or not at all,
    and a page costs a fifth less CPU. Raises PortalError for certificates that cannot be read.
    """
    limits = httpx.Limits(
        max_connections=settings.concurrency,
        max_keepalive_connections=settings.concurrency,
        keepalive_expiry=_KEEPALIVE,
    )
    return httpx.AsyncHTTPTransport(verify=_trusted_certificates(settings.ca_file), limits=limits)


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
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "name its authority's certificates with ca_file if you trust it"
            return "certificate", f"the portal's certificate is not trusted: {cause.verify_message}; {hint}"
        if isinstance(cause, socket.gaierror):
            return "transport", f"the host was not found ({cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "transport", "the connection was refused"
    return "transport", f"the connection failed ({text or type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _causes(inner)
        error = error.__cause__ or error.__context__


def _trusted_certificates(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise PortalError(
                f"ca_file {ca_file} holds no certificates that can be read; correct the setting"
            ) from None
    return context
