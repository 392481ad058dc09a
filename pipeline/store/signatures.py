"""Signatures over head lines with SSH keys, made and checked by the system's own OpenSSH (`ssh-keygen -Y`)."""

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pipeline.errors import BmaProgressError
from pipeline.plain_text import printable

_NAMESPACE: Final = "bma-progress-head"
"""What a signature is for: one made for something else, such as a commit, does not count."""
_SECONDS: Final = 60.0  # a key on a token waits for a touch


class SignatureError(BmaProgressError):
    """A signature does not prove what it should."""


def sign(content: bytes, key: Path) -> str:
    """Sign some bytes with a private key, or with the agent's of which `key` is the public one. Raises BmaProgressError."""
    done = _ssh_keygen("sign", "-q", "-f", str(key), "-n", _NAMESPACE, given=content)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise BmaProgressError(f"{key} cannot sign ({_last_line(done.stderr)}); name a private key of SSH")
    return done.stdout.decode("ascii")


def check_signature(content: bytes, signature: str, allowed_signers: Path) -> str:
    """Who has signed some bytes, as the file of allowed signers names them. Raises SignatureError.

    allowed_signers: as `man ssh-keygen` describes it: a name and a public key on each line
    """
    if not allowed_signers.is_file():
        raise BmaProgressError(f"{allowed_signers} does not exist; name a file of allowed signers")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signature"
        file.write_text(signature, encoding="ascii", errors="replace")
        known = ("-f", str(allowed_signers), "-s", str(file))
        found = _ssh_keygen("find-principals", *known, given=b"")
        if found.returncode:
            raise SignatureError("the signature is of a key that is not among the allowed signers, or is damaged")
        who = found.stdout.decode("utf-8", "replace").splitlines()[0]
        done = _ssh_keygen("verify", *known, "-I", who, "-n", _NAMESPACE, given=content)
    if done.returncode:
        raise SignatureError(f"the signature of {printable(who)} is of another line, or was altered")
    return printable(who)


def _ssh_keygen(action: str, *arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603 - a fixed program, files that the user names
            ["ssh-keygen", "-Y", action, *arguments],  # noqa: S607 - the system's own, wherever it lies
            input=given,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise BmaProgressError("signatures need ssh-keygen of OpenSSH, which is not installed here") from None
    except subprocess.TimeoutExpired:
        raise BmaProgressError(
            f"ssh-keygen did not end within {_SECONDS:g} s; give a key that needs no answer"
        ) from None


def _last_line(text: bytes) -> str:
    return printable((text.decode("utf-8", "replace").strip().splitlines() or ["no reason given"])[-1])
