"""litellm, by Chat Completions."""

import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from common import Thing, main

TOOL = {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}}


def run(kind, base_url):
    def ask(messages, **more):
        return litellm.completion(
            model="openai/gpt-5",
            messages=messages,
            api_base=base_url,
            api_key="none",
            num_retries=0,
            max_retries=0,
            **more,
        )

    messages = [{"role": "user", "content": "hi"}]
    if kind in ("stream", "interrupted"):
        chunks = ask(messages, stream=True)
        return {"text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks)}
    if kind == "structured":
        return {"thing": json.loads(ask(messages, response_format=Thing).choices[0].message.content)}
    if kind == "tool":
        tools = [{"type": "function", "function": TOOL}]
        said = ask(messages, tools=tools).choices[0].message
        call = said.tool_calls[0]
        answer = {"role": "tool", "tool_call_id": call.id, "content": "a socket"}
        text = ask([*messages, said.model_dump(), answer], tools=tools).choices[0].message.content
        return {"text": text, "looked": [json.loads(call.function.arguments)["at"]]}
    return {"text": ask(messages).choices[0].message.content}


main(run)
