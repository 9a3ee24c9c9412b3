"""A Hugging Face Hub on this machine, with one repository, for as long as a test needs it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

CONTENT = b"what the file holds"
ERRORS = {
    "RepoNotFound": (401, lambda repository, revision, file: repository not in ("owner/name", "owner/gated")),
    "GatedRepo": (403, lambda repository, revision, file: repository == "owner/gated"),
    "RevisionNotFound": (404, lambda repository, revision, file: revision not in ("main", "v1")),
    "EntryNotFound": (404, lambda repository, revision, file: file != "folder/model.bin"),
}
"""What the Hub says in a header, with which status, and when."""


class _Answer(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        if self.answer():
            self.wfile.write(CONTENT)

    def answer(self) -> bool:
        """The head of the answer, and whether there is a file after it."""
        owner, name, _, revision, file = self.path.partition("?")[0].strip("/").split("/", 4)
        for said, (status, applies) in ERRORS.items():
            if applies(f"{owner}/{name}", revision, file):
                self.head(status, {"X-Error-Code": said, "Content-Length": "0"})
                return False
        etag = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
        commit = {"main": "a", "v1": "b"}[revision] * 40
        self.head(200, {"X-Repo-Commit": commit, "ETag": etag, "Content-Length": str(len(CONTENT))})
        return True

    def head(self, status: int, lines: dict[str, str]) -> None:
        """Status and header."""
        self.send_response(status)
        for name, value in lines.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def hub() -> Iterator[str]:
    """Its address; `owner/name` holds `folder/model.bin` at `main` and at `v1`, `owner/gated` is not for everyone."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
