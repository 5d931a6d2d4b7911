"""How the explorer is served: to this machine only, and with nothing a page should not do."""

import base64
import hashlib
import socket
import threading

from dash import Dash
from flask import Response
from waitress.server import create_server

HOST = "127.0.0.1"
WARM = "dva-lens-warm"
"""Under this name an explorer leaves a function that reads what its first page shows."""
_MOST_BYTES = 1 << 20
_POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def guard(app: Dash, *inline_scripts: str) -> None:
    """Answer this machine only, bound what is accepted, and let browsers load only from here."""
    app.server.config["TRUSTED_HOSTS"] = [HOST, "localhost"]
    app.server.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    hashes = [*app.csp_hashes(), *(f"'sha256-{_digest(script)}'" for script in inline_scripts)]
    policy = _POLICY.format(scripts=" ".join(hashes))

    @app.server.after_request
    def _headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def serve(app: Dash, port: int = 8050) -> None:
    """Serve the explorer on this machine until it is interrupted."""
    check_port(port)
    warm = threading.Thread(target=app.server.extensions.get(WARM), daemon=True)
    warm.start()
    server = create_server(app.server, host=HOST, port=port, threads=8, ident=None)
    try:
        server.run()
    finally:
        server.close()
        warm.join()  # a reader that outlives the interpreter ends in a traceback


def check_port(port: int) -> None:
    """Refuse a port that cannot be listened on, and say what to do."""
    if not 0 < port < 1 << 16:
        raise ValueError(f"port must be between 1 and 65535, got {port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as error:
            raise OSError(
                f"Port {port} is reserved on this machine; pass a port above 1023."
            ) from error
        except OSError as error:
            raise OSError(
                f"Port {port} is busy, perhaps with another explorer; "
                f"pass another one, such as --port {port + 1}."
            ) from error


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
