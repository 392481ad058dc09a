from collections.abc import Callable, Mapping

def weave(
    source: bytes,
    read_tag: Callable[[bytes], tuple[bytes, str | None, bytes]],
    inline_letters: bytes,
    printed: Mapping[bytes, bytes],
    structures: Mapping[bytes, bytes],
    /,
) -> tuple[bytes, list[bytes], list[str]] | None: ...
