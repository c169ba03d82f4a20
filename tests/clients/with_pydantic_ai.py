"""pydantic-ai, by the Responses API."""

import asyncio

from common import Thing, main
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

looked = []


async def run(kind, base_url):
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        model = OpenAIResponsesModel("gpt-5", provider=OpenAIProvider(openai_client=client))
        agent = Agent(model, output_type=Thing if kind == "structured" else str)
        if kind == "tool":

            @agent.tool_plain
            def look(at: str) -> str:
                looked.append(at)
                return "a socket"

        if kind in ("stream", "interrupted"):
            async with agent.run_stream("hi") as result:
                return {"text": "".join([text async for text in result.stream_text(delta=True)])}
        output = (await agent.run("hi")).output
    return {"thing": output.model_dump(mode="json")} if kind == "structured" else {"text": output, "looked": looked}


main(lambda kind, base_url: asyncio.run(run(kind, base_url)))
