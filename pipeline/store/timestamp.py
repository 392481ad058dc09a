"""Time-stamps of RFC 3161, without a network: what an authority is asked, and whether its answer proves what it should.

A stamp is an authority's signed word that some bytes existed at an instant. It stays provable when the authority's
certificate has expired; whether that certificate was revoked is not looked up.
"""

import hashlib
import re
import ssl
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from pipeline.errors import BmaProgressError
from pipeline.plain_text import printable

_DIGESTS: Final = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}
_SEQUENCE: Final = 0x30
_CERTIFICATES: Final = ((_SEQUENCE, 0), (_SEQUENCE, 1), (0xA0, 1), (_SEQUENCE, 0), (0xA0, 3))
"""Tag and place of each element on the way from an answer to its certificates (RFC 5652, section 5.1)."""
_UNKNOWN_ISSUER: Final = re.compile(r"issuer certificate|self.signed")
_CHAIN_ERROR: Final = re.compile(r"Verify error: ([^\"]+)")
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class TimestampError(BmaProgressError):
    """A time-stamp does not prove what it should."""


class UnknownAuthorityError(TimestampError):
    """A time-stamp whose authority is not among those that are trusted here."""


class Stamped(NamedTuple):
    """What a time-stamp says: when (UTC), and who says so."""

    at: datetime
    authority: str


def timestamp_request(content: bytes) -> TimeStampRequest:
    """What an authority is asked so that it stamps some bytes: it sees their SHA-256 alone."""
    return TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()


def check_timestamp(stamp: bytes, content: bytes, roots: list[x509.Certificate], nonce: int | None = None) -> Stamped:
    """What a stamp says of some bytes. Raises TimestampError where it does not prove it.

    stamp: an authority's answer (`TimeStampResp` in DER); roots: certificates of the authorities that are trusted
    nonce: of the request that was just answered
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of certificates that are not quite as they should be
            return _checked(decode_timestamp_response(_with_sorted_certificates(stamp)), content, roots, nonce)
    except TimestampError:
        raise
    except Exception:  # noqa: BLE001 - a forged stamp can raise anything in whatever reads it
        raise TimestampError("the time-stamp cannot be read: it is damaged, or none of RFC 3161") from None


def _checked(answer: TimeStampResponse, content: bytes, roots: list[x509.Certificate], nonce: int | None) -> Stamped:
    if answer.status != 0:
        stated = "; ".join(answer.status_string) or str(answer.status)
        raise TimestampError(f"the authority gave no time-stamp ({printable(stated)})")
    stamp = answer.tst_info
    if nonce not in (None, stamp.nonce):
        raise TimestampError("the time-stamp answers another request; an old answer was sent again")
    digest = _DIGESTS.get(stamp.message_imprint.hash_algorithm.dotted_string)
    if digest is None or digest(content).digest() != stamp.message_imprint.message:
        raise TimestampError("the time-stamp is of another line")
    authority = _authority(answer)
    try:
        VerifierBuilder(roots=roots, nonce=nonce).build().verify_message(answer, content)
    except VerificationError as error:
        raise _explained(str(error), authority) from None
    return Stamped(stamp.gen_time, authority)


def trusted_roots(file: Path | None) -> list[x509.Certificate]:
    """The certificates of the trusted authorities: those in a file (PEM), or the system's. Raises BmaProgressError."""
    if file is not None:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise BmaProgressError(f"{file} cannot be read ({error.strerror}); name a file of certificates") from None
        if not (roots := list(_certificates(content))):
            raise BmaProgressError(f"{file} holds no certificates that can be read; it must be PEM")
        return roots
    places = ssl.get_default_verify_paths()
    files = [Path(places.cafile)] if places.cafile else sorted(Path(places.capath or "/nowhere").glob("*.[p0]*"))
    if not (roots := [root for one in files for root in _certificates(one.read_bytes())]):
        raise BmaProgressError("this system names no trusted certificates; give the authority's with --timestamp-ca")
    return roots


def _certificates(content: bytes) -> Iterator[x509.Certificate]:
    for pem in _PEM.findall(content):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old roots of a system have odd serial numbers
                yield x509.load_pem_x509_certificate(pem)
        except ValueError:
            continue


def _authority(answer: TimeStampResponse) -> str:
    """The name in the certificate of the one who signed a stamp."""
    signer: Any = next(iter(answer.signed_data.signer_infos), None)
    for der in answer.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(der)
        if signer and (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            return printable(certificate.subject.rfc4514_string())
    return "an unnamed authority"


def _explained(error: str, authority: str) -> TimestampError:
    if chain := _CHAIN_ERROR.search(error):
        if _UNKNOWN_ISSUER.search(chain[1]):
            return UnknownAuthorityError(
                f"the time-stamp is signed by an unknown authority ({authority}); give its root certificate with "
                "--timestamp-ca if you trust it"
            )
        return TimestampError(f"the certificate of the time-stamp's authority does not hold ({authority}: {chain[1]})")
    if "signature" in error.lower():
        return TimestampError("the time-stamp was altered: its signature does not fit")
    return TimestampError(f"the time-stamp does not hold ({error})")


def _with_sorted_certificates(answer: bytes) -> bytes:
    """The answer with its certificates in the order of DER, which OpenSSL's authorities do not keep; they are not signed.

    Raises ValueError for bytes of another kind.
    """
    inside = (0, len(answer))
    for tag, place in _CERTIFICATES:
        found = list(_elements(answer, *inside))
        if len(found) <= place or found[place][0] != tag:
            return answer  # a refusal, or a stamp without certificates
        _, _, *inside = found[place]  # type: ignore[assignment]
    start, end = inside
    parts = sorted(answer[first:last] for _, first, _, last in _elements(answer, start, end))
    return answer[:start] + b"".join(parts) + answer[end:]


def _elements(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The elements of DER between two places: tag, start, start of the content, end."""
    while start < end:
        if start + 2 > end:
            raise ValueError("cut short")
        length, content = data[start + 1], start + 2
        if length & 0x80:
            content += length & 0x7F
            length = int.from_bytes(data[start + 2 : content], "big")
        if content + length > end:
            raise ValueError("cut short")
        yield data[start], start, content, content + length
        start = content + length
