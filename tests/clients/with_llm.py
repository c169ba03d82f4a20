"""Simon Willison's `llm`, by Chat Completions, as its library."""

import json
import os
import tempfile

os.environ["LLM_USER_PATH"] = tempfile.mkdtemp(prefix="llm-")

from common import Thing, main
from llm.default_plugins.openai_models import Chat

looked = []


def look(at: str) -> str:
    """Look at something."""
    looked.append(at)
    return "a socket"


def run(kind, base_url):
    model = Chat("gpt-5", api_base=base_url, supports_schema=True, supports_tools=True)
    model.key = "none"
    if kind in ("stream", "interrupted"):
        return {"text": "".join(model.prompt("hi", stream=True))}
    if kind == "structured":
        return {"thing": json.loads(model.prompt("hi", schema=Thing, stream=False).text())}
    if kind == "tool":
        text = "".join(model.chain("hi", tools=[look], stream=False))
        return {"text": text, "looked": looked}
    return {"text": model.prompt("hi", stream=False).text()}


main(run)
