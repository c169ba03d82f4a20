"""What the clients share: the shape of a structured output, and how a result is told. Run with the clients' Python."""

import json
import sys
from enum import Enum

from pydantic import BaseModel, Field


class Color(str, Enum):
    red = "red"
    green = "green"


class Part(BaseModel):
    size: float = Field(ge=1, le=2)
    tags: list[str]


class Thing(BaseModel):
    """A thing with parts."""

    name: str
    count: int = Field(ge=5)
    color: Color
    parts: list[Part]


def main(run):
    """KIND BASE_URL pairs on the command line; for each one JSON object on stdout: what came back, or the classes of
    the error."""
    for kind, base_url in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        try:
            told = run(kind, base_url)
        except Exception as exc:  # the class is the result
            chain = []
            while exc is not None and len(chain) < 8:
                chain.append(type(exc).__name__)
                exc = exc.__cause__ or exc.__context__
            told = {"error": chain}
        if "thing" in told:
            Thing.model_validate(told["thing"])
        print("told", json.dumps(told), flush=True)
