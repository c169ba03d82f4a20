"""Factories whose clients share one pool of three places, or have one each. Closing a client leaves the pool open."""

import openai

http = __import__(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
LIMITS = http.Limits(max_connections=3)
_shared = {}


class View(openai.OpenAI):
    def close(self):
        pass


class AsyncView(openai.AsyncOpenAI):
    async def close(self):
        pass


def shared(client_kwargs):
    if "sync" not in _shared:
        _shared["sync"] = openai.DefaultHttpxClient(limits=LIMITS)
    return View(**client_kwargs, http_client=_shared["sync"])


def shared_async(client_kwargs):
    if "async" not in _shared:
        _shared["async"] = openai.DefaultAsyncHttpxClient(limits=LIMITS)
    return AsyncView(**client_kwargs, http_client=_shared["async"])


def one_each(client_kwargs):
    return openai.OpenAI(**client_kwargs, http_client=openai.DefaultHttpxClient(limits=LIMITS))
