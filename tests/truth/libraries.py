"""Other people's clients, as their documentation shows them."""

ASK = {"model": "gpt-5", "input": "hi"}
QUESTION = [{"role": "user", "content": "hi"}]


def langchain_per_turn(base_url, session):
    """healthy: LangChain's ChatOpenAI, a new one for each turn; LangChain keeps one http_client for all. [needs langchain_openai]"""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-5", base_url=base_url, api_key="made-up", streaming=True, stream_usage=False)
    yield from model.stream("hi")


_models = {}


def langchain_one_model(base_url, session):
    """healthy: LangChain's ChatOpenAI, one for the process. [needs langchain_openai]"""
    from langchain_openai import ChatOpenAI

    if not _models:
        _models[0] = ChatOpenAI(model="gpt-5", base_url=base_url, api_key="made-up")
    yield from _models[0].stream("hi")


async def langchain_async(base_url, session):
    """healthy: LangChain, asynchronous, one model for the process. [needs langchain_openai]"""
    from langchain_openai import ChatOpenAI

    if not _models:
        _models[0] = ChatOpenAI(model="gpt-5", base_url=base_url, api_key="made-up")
    async for chunk in _models[0].astream("hi"):
        yield chunk


def langchain_client(kwargs):
    """choice default-timeout: the SDK's client inside LangChain's model, which is given timeout=None: no timeout at all. [needs langchain_openai]"""
    from langchain_openai import ChatOpenAI

    if not _models:
        _models[0] = ChatOpenAI(model="gpt-5", base_url=kwargs["base_url"], api_key=kwargs["api_key"], max_retries=0)
    return _models[0].root_client


def litellm_completion(base_url, session):
    """healthy: litellm.completion, which keeps its clients by itself. [needs litellm]"""
    import litellm

    yield from litellm.completion("openai/gpt-5", QUESTION, api_base=base_url, api_key="made-up", stream=True)


async def litellm_acompletion(base_url, session):
    """healthy: litellm.acompletion, which keeps its clients by itself. [needs litellm]"""
    import litellm

    async for chunk in await litellm.acompletion(
        "openai/gpt-5", QUESTION, api_base=base_url, api_key="made-up", stream=True
    ):
        yield chunk


def instructor_client(kwargs):
    """healthy: an Instructor around the SDK's client, closed as its user would. [needs instructor]"""
    import instructor
    from openai import OpenAI

    return instructor.from_openai(OpenAI(**kwargs))


def instructor_turn(base_url, session):
    """healthy: an Instructor for each turn around a client in a with-block. [needs instructor]"""
    import instructor
    from openai import OpenAI

    with OpenAI(base_url=base_url) as client:
        instructor.from_openai(client).chat.completions.create(model="gpt-5", messages=QUESTION, response_model=None)


async def pydantic_ai_agent(base_url, session):
    """healthy: an agent of pydantic-ai with a provider for the process. [needs pydantic_ai]"""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    if not _models:
        _models[0] = Agent(OpenAIChatModel("gpt-5", provider=OpenAIProvider(base_url=base_url, api_key="made-up")))
    await _models[0].run("hi")


async def openai_agents_run(base_url, session):
    """healthy: an agent of openai-agents with one client for the process. [needs agents]"""
    from agents import Agent, OpenAIResponsesModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI

    if not _models:
        set_tracing_disabled(True)
        _models[0] = OpenAIResponsesModel("gpt-5", AsyncOpenAI(base_url=base_url, api_key="made-up"))
    await Runner.run(Agent("helper", model=_models[0]), "hi")
