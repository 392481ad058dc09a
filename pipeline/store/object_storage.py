"""Object storage (`s3://`): named bytes, and writes that fail where somebody else wrote first."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import StoreBusyError, StoreDamagedError, StoreError, first_line

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_RETRIES: Final = 4
_NO_BUCKET: Final = "NoSuchBucket"
_MACHINE_ROLE: Final = "169.254.169.254"
"""Where the library asks for a cloud machine's own credentials once it has found no others."""


class ObjectStorage:
    """The objects below one address. Every call raises StoreError where the storage cannot be reached."""

    def __init__(self, url: str) -> None:
        self.url = url

    def names(self) -> list[str]:
        """The names of all objects."""
        with self._library("") as obstore:
            names: list[str] = sorted(about["path"] for batch in obstore.list(self._objects) for about in batch)
        return names

    def read(self, key: str) -> bytes | None:
        """The bytes of one object, or None."""
        found = self.read_tagged(key)
        return None if found is None else found[0]

    def read_tagged(self, key: str) -> tuple[bytes, str | None] | None:
        """The bytes of one object and the tag of that very content, or None."""
        with self._library(key) as obstore:
            try:
                answer = obstore.get(self._objects, key)
            except FileNotFoundError as error:
                if _NO_BUCKET in str(error):
                    raise self._no_bucket() from None
                return None
            return bytes(answer.bytes()), answer.meta["e_tag"]

    def document(self, key: str) -> dict[str, Any] | None:
        """An object's JSON, or None. Raises StoreDamagedError."""
        content = self.read(key)
        return None if content is None else self.parsed(key, content)

    def parsed(self, key: str, content: bytes) -> dict[str, Any]:
        """The JSON of bytes that were read from an object. Raises StoreDamagedError."""
        try:
            document: dict[str, Any] = json.loads(content)
        except ValueError:
            raise StoreDamagedError(f"{self.url}/{key} cannot be read; restore it from a copy of the store") from None
        return document

    def fetch(self, key: str, part: Path, sha256: str) -> None:
        """Write an object into the new file `part`. Raises StoreDamagedError where it is missing or has another hash."""
        digest = hashlib.sha256()
        with self._library(key) as obstore:
            try:
                answer = obstore.get(self._objects, key)
            except FileNotFoundError:
                raise StoreDamagedError(f"{self.url}/{key} is missing; restore it from a copy of the store") from None
            with part.open("wb") as stream:
                for piece in answer.stream():
                    digest.update(piece)
                    stream.write(piece)
        if digest.hexdigest() != sha256:
            part.unlink()
            raise StoreDamagedError(f"{self.url}/{key} is not what was committed; restore it from a copy of the store")

    def write(self, key: str, content: bytes, *, tag: str | None = None, only_new: bool = False) -> str | None:
        """Write one object; returns the tag of what was written.

        tag: only where the object still has this content; only_new: only where there is none. Raises StoreBusyError.
        """
        mode: Any = "create" if only_new else {"e_tag": tag} if tag else "overwrite"
        with self._library(key) as obstore:
            taken = (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError)
            try:
                tag = obstore.put(self._objects, key, content, mode=mode)["e_tag"]
            except taken:
                raise StoreBusyError(f"{self.url}/{key} was written by somebody else meanwhile; try again") from None
        return tag

    def write_file(self, key: str, file: Path) -> None:
        """Write one object from a file."""
        with self._library(key) as obstore:
            obstore.put(self._objects, key, file)

    def delete(self, key: str) -> None:
        """Delete one object."""
        with self._library(key) as obstore:
            obstore.delete(self._objects, key)

    @cached_property
    def _objects(self) -> "ObjectStore":
        try:
            from obstore.store import from_url
        except ImportError:
            raise StoreError(
                "a store in object storage needs the library obstore; install it with: pip install 'bma-progress[s3]'"
            ) from None
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        try:
            return from_url(
                self.url,
                client_options={"allow_http": endpoint.startswith("http://"), "timeout": "120s"},
                retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=60)},
            )
        except Exception as error:  # noqa: BLE001 - obstore's errors have no common parent that says "not usable"
            raise StoreError(
                f"{self.url} cannot be used ({first_line(error)}); check the address and credentials"
            ) from None

    def _no_bucket(self) -> StoreError:
        return StoreError(f"{self.url} names a bucket that does not exist; make it first, or correct the address")

    @contextmanager
    def _library(self, key: str) -> Iterator[Any]:
        """The library obstore; what it cannot do with the object `key` is said in one sentence."""
        _ = self._objects  # says so where it is not installed
        import obstore
        import obstore.exceptions

        try:
            yield obstore
        except obstore.exceptions.BaseError as error:
            if _NO_BUCKET in str(error):
                raise self._no_bucket() from None
            if _MACHINE_ROLE in str(error):
                raise StoreError(
                    f"{self.url} cannot be used without credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                ) from None
            raise StoreError(
                f"{self.url}/{key} cannot be reached ({first_line(error)}); check the address, the credentials and the "
                "network, then start again: nothing is lost"
            ) from None
