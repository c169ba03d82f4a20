"""Which path means what: APIs that reply, endpoints beside them, forms of Azure and of the ChatGPT backend. Pure."""

from __future__ import annotations

import re
from functools import cache

from hermes_diag.provider.answers.place import Place
from hermes_diag.provider.routing import control, endpoints
from hermes_diag.provider.routing.endpoints.asked import Handler

#: The APIs that reply, by the path to which they are posted.
APIS = {
    "/v1/responses": "responses",
    "/backend-api/codex/responses": "responses",
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/messages": "messages",
}
#: An Azure client names the deployment in the path, which is the model; one that was led to /v1 does so there.
_AZURE = re.compile(r"/(?:openai/v1|openai|v1)(?:/deployments/(?P<model>[^/]+))?(?P<rest>/.+)")
#: The ChatGPT backend has the endpoints of the Responses API below a path of its own.
_BACKEND = "/backend-api/codex/responses/"
#: A part of an unknown path that may be shown: a word or a version. Anything else could be a secret.
_PLAIN = re.compile(r"[a-z][a-z_-]{0,23}|v\d{1,2}(beta)?\d?")
#: Parts of an unknown path that are shown.
_SHOWN = 6


def place(path: str) -> Place:
    """What is at a path; of an unknown one, or one of the control path, the name alone."""
    known = _exact(path)
    if known is not None:
        return known
    if path in control.PATHS:
        return Place(path, path)
    match = _AZURE.fullmatch(path)
    model, meant = ((match["model"] or "", "/v1" + match["rest"])) if match else ("", path)
    if meant.startswith(_BACKEND):
        meant = "/v1/responses/" + meant.removeprefix(_BACKEND)
    known = _exact(meant)
    if known is not None:
        return Place(known.name, meant, known.api, known.handlers, (), model)
    for pattern, name, handlers in _patterns():
        if (found := pattern.fullmatch(meant)) is not None:
            return Place(name, meant, "", handlers, found.groups(), model)
    return Place(_shown(path), path)


@cache
def _places() -> dict[str, Place]:
    table = dict(endpoints.TABLE)
    exact = {path: Place(path, path, "", tuple(methods.items())) for path, methods in table.items() if "{}" not in path}
    for path, api in APIS.items():
        exact[path] = Place(path, path, api, tuple(table.get(path, {}).items()))
    return exact


def _exact(path: str) -> Place | None:
    return _places().get(path)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str, tuple[tuple[str, Handler], ...]], ...]:
    return tuple(
        (re.compile(path.replace("{}", "([^/]+)")), path, tuple(methods.items()))
        for path, methods in endpoints.TABLE
        if "{}" in path
    )


def _shown(path: str) -> str:
    """An unknown path with `...` for each part that could be a secret."""
    parts = path.split("/")[1:]
    shown = [part if not part or _PLAIN.fullmatch(part) else "..." for part in parts[:_SHOWN]]
    return "/" + "/".join(shown + (["..."] if len(parts) > _SHOWN else []))
