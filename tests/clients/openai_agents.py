"""openai-agents: the Responses API through an agent with a tool."""

import asyncio

from agents import Agent, ModelSettings, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from common import Thing, main
from openai import AsyncOpenAI

looked = []


@function_tool
def look(at: str) -> str:
    """Look at something."""
    looked.append(at)
    return "a socket"


async def run(kind: str, base_url: str) -> dict:
    set_tracing_disabled(True)
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        set_default_openai_client(client, use_for_tracing=False)
        settings = ModelSettings(tool_choice="auto")
        agent = Agent(
            name="tester", model="gpt-5", tools=[look] if kind == "tool" else [], model_settings=settings,
            output_type=Thing if kind == "structured" else None,
        )  # fmt: skip
        if kind in ("stream", "interrupted"):
            result, deltas = Runner.run_streamed(agent, "hi"), []
            async for event in result.stream_events():
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    deltas.append(event.data.delta)
            return {"text": "".join(deltas)}
        result = await Runner.run(agent, "hi")
    if kind == "structured":
        return {"thing": result.final_output.model_dump()}
    return {"text": result.final_output, "looked": looked}


main(lambda kind, base_url: asyncio.run(run(kind, base_url)))
