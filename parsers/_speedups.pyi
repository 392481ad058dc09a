from collections.abc import Mapping

def weave(
    source: bytes,
    tags: Mapping[bytes, tuple[bytes, str | None, bytes]],
    references: Mapping[bytes, bytes],
    runs: Mapping[bytes, tuple[bytes, bytes]],
    inline_letters: bytes,
    /,
) -> tuple[bytes, list[bytes], list[str]] | None: ...
def nests(letters: bytes, traits: bytes, /) -> bool: ...
