"""instructor, by Chat Completions: everything is a structured output by a tool that must be called."""

import instructor
from common import Thing, main
from openai import OpenAI
from pydantic import BaseModel


class Words(BaseModel):
    text: str


def run(kind, base_url):
    with OpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        asking = instructor.from_openai(client)
        common = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "max_retries": 0}
        if kind in ("stream", "interrupted"):
            *_, last = asking.chat.completions.create_partial(response_model=Words, **common)
            return {"text": last.text}
        if kind == "structured":
            return {"thing": asking.chat.completions.create(response_model=Thing, **common).model_dump(mode="json")}
        if kind == "tool":  # its only tool is the model that is asked for
            return {"text": "", "looked": [asking.chat.completions.create(response_model=Words, **common).text]}
        return {"text": asking.chat.completions.create(response_model=Words, **common).text}


main(run)
