from collections.abc import Mapping

def weave(
    source: bytes,
    tags: Mapping[bytes, tuple[bytes, str | None, bytes]],
    inline_letters: bytes,
    printed: Mapping[bytes, bytes],
    structures: Mapping[bytes, bytes],
    /,
) -> tuple[bytes, list[bytes], list[str]] | None: ...
