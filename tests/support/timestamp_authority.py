"""A time-stamp authority of RFC 3161 on loopback: OpenSSL's own `ts`, behind a small HTTP server."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamps]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = tsa
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
tsa_name = yes
ess_cert_id_alg = sha256
"""
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
_SIGN = "x509 -req -days 3650 -extfile tsa.cnf"
_CERTIFICATES = f"""
req -x509 {_KEY} -keyout root.key -out root.pem -days 3650 -config tsa.cnf -extensions ca -subj /CN=Root
req {_KEY} -keyout middle.key -out middle.csr -config tsa.cnf -subj /CN=Middle
{_SIGN} -in middle.csr -CA root.pem -CAkey root.key -set_serial 2 -extensions ca -out middle.pem
req {_KEY} -keyout stamps.key -out stamps.csr -config tsa.cnf
{_SIGN} -in stamps.csr -CA middle.pem -CAkey middle.key -set_serial 3 -extensions stamps -out stamps.pem
"""
_REPLY = (
    "ts -reply -config tsa.cnf -section tsa -queryfile {query} -inkey stamps.key -signer stamps.pem -chain middle.pem"
)


class TimestampAuthority:
    """An authority with a root, a certificate between, and one that signs stamps; `ca` is the root's file.

    answer: another answer than a stamp, for the next requests
    """

    def __init__(self, folder: Path, name: str = "Test stamps") -> None:
        self.folder = folder
        self.answer: bytes | None = None
        self.requests = 0
        folder.mkdir(parents=True)
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder, name=name))
        for line in _CERTIFICATES.strip().splitlines():
            self._openssl(line)
        self.ca = folder / "root.pem"

    def stamp(self, query: bytes) -> bytes:
        """The answer to a request."""
        (self.folder / "query.tsq").write_bytes(query)
        self._openssl(_REPLY.format(query="query.tsq") + " -out reply.tsr")
        return (self.folder / "reply.tsr").read_bytes()

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def __enter__(self) -> Self:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.requests += 1
                answer = authority.stamp(query) if authority.answer is None else authority.answer
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
