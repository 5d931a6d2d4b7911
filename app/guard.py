"""What the explorer refuses: other machines, large bodies, unknown pages and malformed calls.

Everything a browser sends can be forged, so a call is compared with what the explorer's own
callbacks declare before it is carried out. What is malformed is answered 4xx in one sentence; an
exception inside a well-formed call is a defect of the program and stays a 500.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from dash import Dash
from dash.exceptions import DependencyException
from flask import Response, request
from werkzeug.exceptions import BadRequest

HOST = "127.0.0.1"
CALLS = "/_dash-update-component"
_MOST_BYTES = 1 << 20
_POLICY = (
    "default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def guard(app: Dash, *inline_scripts: str, pages: Iterable[str]) -> None:
    """Answer this machine only, bound what is accepted, and let browsers load only from here."""
    server = app.server
    server.config["TRUSTED_HOSTS"] = [HOST, "localhost"]
    server.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    hashes = [*app.csp_hashes(), *(f"'sha256-{_digest(script)}'" for script in inline_scripts)]
    policy = _POLICY.format(scripts=" ".join(hashes))
    known = frozenset(pages)

    @server.before_request
    def _check() -> None:
        if request.path == CALLS and request.method == "POST":
            check_call(app, _body())

    @server.after_request
    def _finish(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        anywhere = request.url_rule is not None and request.url_rule.rule == "/<path:path>"
        if anywhere and (request.path.rstrip("/") or "/") not in known:
            response.status_code = 404
        return response

    @server.errorhandler(BadRequest)
    def _refuse(error: BadRequest) -> Response:
        return Response(f"{error.description}\n", 400, mimetype="text/plain")

    @server.errorhandler(DependencyException)
    def _not_there(_error: DependencyException) -> Response:
        return Response("There is no such file.\n", 404, mimetype="text/plain")


def check_call(app: Dash, body: Any) -> None:
    """Refuse a call that the explorer's pages do not make.

    Raises
    ------
    BadRequest
        The body is not a call, or its parts are not those that the callback declares.
    """
    if not isinstance(body, dict):
        raise BadRequest("A call must be an object.")
    output = body.get("output")
    declared = app.callback_map.get(output) if isinstance(output, str) else None
    if declared is None or "callback" not in declared:
        raise BadRequest("There is no callback with these outputs.")
    changed = body.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(name, str) for name in changed):
        raise BadRequest("The names of what changed must be text.")
    outputs = declared["output"]
    wanted = outputs if isinstance(outputs, Sequence) else [outputs]
    given = body.get("outputs")
    _check_parts(
        "outputs",
        given if isinstance(given, list) else [given],
        [(one.component_id_str(), one.component_property) for one in wanted],
    )
    for name in ("inputs", "state"):
        due = [(part["id"], part["property"]) for part in declared[name]]
        _check_parts(name, body.get(name, []), due)


def _check_parts(name: str, given: Any, due: Sequence[tuple[str, str]]) -> None:
    if not isinstance(given, list) or len(given) != len(due):
        raise BadRequest(f"The {name} of a call must be a list of {len(due)}.")
    for part, (id_, property_) in zip(given, due, strict=True):
        wild = id_.startswith("{")
        each = part if wild and isinstance(part, list) else [part]
        if wild != isinstance(part, list) or not all(
            _is_part(one, id_, property_) for one in each
        ):
            raise BadRequest(f"The {name} of a call must name {id_}.{property_}.")


def _is_part(part: Any, id_: str, property_: str) -> bool:
    """Say whether a part of a call is the component and property that a callback declares."""
    if not isinstance(part, dict) or part.get("property") != property_:
        return False
    named = part.get("id")
    if not id_.startswith("{"):
        return named == id_
    return (
        isinstance(named, dict)
        and len(named) == 1
        and id_ == f'{{"{next(iter(named))}":["ALL"]}}'
        and all(isinstance(value, str) for value in named.values())
    )


def _body() -> Any:
    try:
        return request.get_json()
    except RecursionError as error:
        raise BadRequest("A call must not be nested so deeply.") from error


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
