"""A page on this machine that shows a picture that changes; any browser plays it (a multipart JPEG stream)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"  # nobody else's business; from another machine: ssh -L
PATIENCE = 5.0  # s that a browser waits for a new picture before it is told to ask again
BOUNDARY = "outlap-picture"
# The picture asks for itself anew when the stream ends, so that a page outlives the run that it showed.
HTML = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Outlap</title>
<style>body{margin:0;background:#181a1e}img{display:block;margin:auto;max-width:100%;max-height:100vh}</style>
<img src="stream" alt="no picture: nothing runs here" onerror="setTimeout(()=>this.src='stream?'+Date.now(),1000)">
"""


class Page:
    """Serves ``/`` (a page), ``/stream`` (its moving picture) and ``/picture.jpg`` (the next picture) from threads."""

    def __init__(self, port: int) -> None:
        """Listen on ``port``, or on any free one where that is taken."""
        self._changed = threading.Condition()
        self._picture, self._number = b"", 0
        self._watchers, self._closed = 0, False
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError:
            self._server = _Server((HOST, 0), _Handler)
        self._server.page = self
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    @property
    def watched(self) -> bool:
        """Whether anybody waits for a picture: without, there is no need to draw one."""
        return self._watchers > 0

    def show(self, jpeg: bytes) -> None:
        """This is the picture now."""
        with self._changed:
            self._picture, self._number = jpeg, self._number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the streams and stop listening."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def pictures(self) -> Generator[bytes, None, None]:
        """Each picture as it is shown, until none comes for a while."""
        with self._changed:
            self._watchers += 1
            number = self._number
        try:
            while True:
                with self._changed:
                    came = self._changed.wait_for(lambda n=number: self._number > n or self._closed, PATIENCE)
                    if not came or self._closed:
                        return
                    picture, number = self._picture, self._number
                yield picture
        finally:
            with self._changed:
                self._watchers -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    page: Page

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer("text/html; charset=utf-8", HTML.encode())
        elif path == "/stream":
            self._stream()
        elif path == "/picture.jpg":
            with contextlib.closing(self.server.page.pictures()) as pictures:
                picture = next(pictures, None)
            if picture is None:
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            else:
                self._answer("image/jpeg", picture)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, kind: str, content: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.closing(self.server.page.pictures()) as pictures:
            for picture in pictures:
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
