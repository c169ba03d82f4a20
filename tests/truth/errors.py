"""Factories under a provider that fails, and such as break down themselves."""

import contextlib
import os
import sys
import time

import openai
from openai import AsyncOpenAI, DefaultHttpxClient, OpenAI

http = sys.modules[DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]  # httpx, or httpx2 with openai 3
_kept = []


# --- the provider's doing ----------------------------------------------------------------------------


def plain_and_a_reset(kwargs):
    """healthy: the server resets each stream; that is not the client's doing. [fault rst-mid-stream]"""
    return OpenAI(**kwargs)


def plain_and_an_early_end(kwargs):
    """healthy: the server ends each stream early. [fault fin-mid-stream]"""
    return OpenAI(**kwargs)


def plain_and_a_full_server(kwargs):
    """healthy: each request gets a 429. [fault http-429]"""
    return OpenAI(**kwargs)


def plain_and_a_broken_server(kwargs):
    """healthy: each request gets a 500. [fault http-500]"""
    return OpenAI(**kwargs)


def plain_async_and_a_reset(kwargs):
    """healthy: the same asynchronous, and each stream reset. [fault rst-mid-stream]"""
    return AsyncOpenAI(**kwargs)


def plain_and_connection_close(kwargs):
    """healthy: the server closes each connection after its answer. [fault connection-close]"""
    return OpenAI(**kwargs)


# --- leaks on errors only ----------------------------------------------------------------------------


class _KeepsFailed(OpenAI):
    failed = False

    def request(self, *args, **kwargs):
        try:
            return super().request(*args, **kwargs)
        except openai.APIStatusError:
            self.failed = True
            raise

    def close(self):
        if self.failed:
            _kept.append(self)  # for the post-mortem
        else:
            super().close()


def keeps_what_failed(kwargs):
    """faulty close-releases: a client whose turn failed is kept for the post-mortem. [also drop-releases]"""
    return _KeepsFailed(**kwargs)


def keeps_what_failed_under_a_fault(kwargs):
    """faulty close-releases, close-wait-grows: the same, and each request gets a 500. [fault http-500] [also drop-releases]"""
    return _KeepsFailed(**kwargs)


class _KeepsLimited(OpenAI):
    limited = False

    def request(self, *args, **kwargs):
        try:
            return super().request(*args, **kwargs)
        except openai.RateLimitError:
            self.limited = True
            raise

    def close(self):
        if self.limited:
            _kept.append(self)
        else:
            super().close()


def keeps_what_was_limited(kwargs):
    """faulty close-wait-grows: a client that got a 429 is kept, to be tried again later. [fault http-429]"""
    return _KeepsLimited(**kwargs)


class _KeepsFailedAsync(AsyncOpenAI):
    failed = False

    async def request(self, *args, **kwargs):
        try:
            return await super().request(*args, **kwargs)
        except openai.APIStatusError:
            self.failed = True
            raise

    async def close(self):
        if self.failed:
            _kept.append(self)
        else:
            await super().close()


def keeps_what_failed_async(kwargs):
    """faulty close-releases: the same, asynchronous. [also drop-releases]"""
    return _KeepsFailedAsync(**kwargs)


class _KeepsTheError(OpenAI):
    def request(self, *args, **kwargs):
        try:
            return super().request(*args, **kwargs)
        except openai.APIStatusError as exc:
            _kept.append(exc)
            raise


def keeps_the_errors(kwargs):
    """healthy: exceptions are kept with their tracebacks, and with them the clients; these are closed all the same."""
    return _KeepsTheError(**kwargs)


def writes_a_report_of_each_error(kwargs):
    """faulty close-releases: a hook opens a file for each status of 500 and never closes it. [also drop-releases]"""

    def report(response):
        if response.status_code >= 500:
            _kept.append(open(os.devnull, "a"))

    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks={"response": [report]})))


def writes_a_report_and_closes_it(kwargs):
    """healthy: the same with a with-block."""

    def report(response):
        if response.status_code >= 500:
            with open(os.devnull, "a") as file:
                file.write("failed\n")

    return OpenAI(**dict(kwargs, http_client=DefaultHttpxClient(event_hooks={"response": [report]})))


# --- such as break down ------------------------------------------------------------------------------


def raises(kwargs):
    """untellable: the factory raises at every call."""
    raise ValueError("no such deployment")


def nothing(kwargs):
    """untellable: the factory returns nothing."""


def hangs_at_once(kwargs):
    """untellable: its first call does not return. [slow]"""
    time.sleep(600)


def ends_the_process(kwargs):
    """untellable: the factory ends its process."""
    os._exit(0)


def wants_another_module(kwargs):
    """untellable: it imports what is not there."""
    import nowhere_to_be_found

    return nowhere_to_be_found


class _RaisesAtOnce(OpenAI):
    def request(self, *args, **kwargs):
        raise TypeError("an override with a slip")


def each_request_raises(kwargs):
    """faulty turns-failed: an override of request() with a slip: every turn fails. [also first-turn]"""
    return _RaisesAtOnce(**kwargs)


def prints_much(kwargs):
    """healthy: what it prints is nobody's business."""
    print("x" * 100_000)
    return OpenAI(**kwargs)


class _CloseRaises(OpenAI):
    def close(self):
        super().close()
        raise OSError("closed, and yet it raises")


def its_close_raises(kwargs):
    """ambiguous: everything is closed, and then close() raises: harm, and found as what?"""
    return _CloseRaises(**kwargs)


class _SwallowsErrors(OpenAI):
    def close(self):
        with contextlib.suppress(Exception):
            super().close()


def its_close_swallows_errors(kwargs):
    """healthy: a close that lets no exception out."""
    return _SwallowsErrors(**kwargs)
