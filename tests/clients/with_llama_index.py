"""LlamaIndex's OpenAI, by Chat Completions."""

from common import Thing, main
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI

looked = []


def look(at: str) -> str:
    """Look at something."""
    looked.append(at)
    return "a socket"


def run(kind, base_url):
    model = OpenAI(model="gpt-4o", api_base=base_url, api_key="none", max_retries=0)
    if kind in ("stream", "interrupted"):
        return {"text": "".join(part.delta or "" for part in model.stream_chat([ChatMessage("hi")]))}
    if kind == "structured":
        return {"thing": model.as_structured_llm(Thing).chat([ChatMessage("hi")]).raw.model_dump(mode="json")}
    if kind == "tool":
        tool, history = FunctionTool.from_defaults(look), [ChatMessage("hi")]
        said = model.chat_with_tools([tool], chat_history=history)
        (call,) = model.get_tool_calls_from_response(said)
        answer = ChatMessage(
            tool(**call.tool_kwargs).content, role="tool", additional_kwargs={"tool_call_id": call.tool_id}
        )
        again = model.chat_with_tools([tool], chat_history=[*history, said.message, answer])
        return {"text": again.message.content, "looked": looked}
    return {"text": model.chat([ChatMessage("hi")]).message.content}


main(run)
