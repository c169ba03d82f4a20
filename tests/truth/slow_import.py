"""A module that takes eleven seconds to be imported."""

import time

from openai import OpenAI

time.sleep(11)


def plain(kwargs):
    """healthy: nothing but the SDK's own client, in a module that is slow to import. [slow]"""
    return OpenAI(**kwargs)
