"""The factory writes a concrete keepalive http_client into the caller's client_kwargs (#10933)."""

IN_MATRIX = True


def create_client(sdk, client_kwargs):
    if "http_client" not in client_kwargs:
        # The bug: the dict belongs to the agent, which copies it for each request client to come.
        client_kwargs["http_client"] = sdk.bare_keepalive_client()
    return sdk.OpenAI(**client_kwargs)
