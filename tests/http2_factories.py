"""Client factories that speak HTTP/2, and only that: right and wrong ones. Runs in the interpreter under test."""

from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI


def check(response):
    assert response.http_version == "HTTP/2"


async def check_async(response):
    check(response)


def right(kwargs):
    """Closed with the OpenAI client after its turn."""
    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(http2=True, event_hooks={"response": [check]})))


def right_async(kwargs):
    made = DefaultAsyncHttpxClient(http2=True, event_hooks={"response": [check_async]})
    return AsyncOpenAI(**dict(kwargs, http_client=made))


class _Unclosable(DefaultHttpxClient):
    def close(self):
        pass

    def __exit__(self, *exc_info):
        pass


_kept = []


def keeps_each(kwargs):
    """A client a turn whose HTTP client nobody closes."""
    _kept.append(_Unclosable(http2=True, event_hooks={"response": [check]}))
    return OpenAI(**dict(kwargs, http_client=_kept[-1]))


class Shared:
    """One client for all turns."""

    def __init__(self, kwargs):
        self._client = right(kwargs)

    def acquire(self):
        return self._client

    def release(self, client):
        pass

    def close(self):
        self._client.close()
