"""Embeddings: numbers that depend on the input alone."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
from typing import Any

from hermes_diag.provider.answers import refusals
from hermes_diag.provider.answers.store import Document
from hermes_diag.provider.routing import models
from hermes_diag.provider.routing.endpoints.asked import Asked, Refused, tokens

#: Dimensions of an embedding that asks for none, and how many there may be.
DIMENSIONS, MOST_DIMENSIONS = 1536, 4096
#: Inputs of one request for embeddings.
MOST_INPUTS = 2048


def embeddings(asked: Asked) -> Document:
    """The same vector for the same input, of length 1."""
    given, model = asked.body.get("input"), asked.body.get("model")
    if not isinstance(given, str | list) or not given:
        raise Refused(400, "Missing required parameter: 'input'.", "input", "missing_required_parameter")
    if not (isinstance(model, str) and models.known(model, asked.service.models)):
        raise Refused(404, refusals.no_model())
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    wanted = asked.body.get("dimensions")
    size = wanted if isinstance(wanted, int) and 0 < wanted <= MOST_DIMENSIONS else DIMENSIONS
    if len(inputs) > MOST_INPUTS:
        raise Refused(400, f"There are at most {MOST_INPUTS} inputs.", "input", "invalid_value")
    packed = asked.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": number, "embedding": _vector(one, size, packed)}
        for number, one in enumerate(inputs)
    ]
    used = sum(map(tokens, inputs))
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": used, "total_tokens": used}}


def _vector(value: Any, size: int, packed: bool) -> Any:
    chance = random.Random(hashlib.sha256(json.dumps(value).encode()).digest())
    numbers = [chance.gauss(0, 1) for _ in range(size)]
    length = sum(number * number for number in numbers) ** 0.5 or 1.0
    numbers = [number / length for number in numbers]
    return base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode() if packed else numbers
