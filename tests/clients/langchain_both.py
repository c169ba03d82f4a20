"""What both forms of LangChain's ChatOpenAI do."""

from common import Thing
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def look(at: str) -> str:
    """Look at something."""
    return "a socket"


def run(kind, base_url, responses):
    model = ChatOpenAI(model="gpt-5", base_url=base_url, api_key="none", max_retries=0, use_responses_api=responses)
    if kind in ("stream", "interrupted"):
        return {"text": "".join(str(chunk.text) for chunk in model.stream("hi"))}
    if kind == "structured":
        return {"thing": model.with_structured_output(Thing).invoke("hi").model_dump(mode="json")}
    if kind == "tool":
        bound, question = model.bind_tools([look]), HumanMessage("hi")
        first = bound.invoke([question])
        call = first.tool_calls[0]
        answers = [ToolMessage(look.invoke(call["args"]), tool_call_id=call["id"])]
        return {"text": str(bound.invoke([question, first, *answers]).text), "looked": [call["args"]["at"]]}
    return {"text": str(model.invoke("hi").text)}
