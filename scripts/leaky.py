"""A client factory that leaks, for scripts/smoke: it keeps every client, and their close does nothing."""

from openai import OpenAI

_clients = []


class Kept(OpenAI):
    def close(self):
        pass


def make_client(client_kwargs):
    _clients.append(Kept(**client_kwargs))
    return _clients[-1]
