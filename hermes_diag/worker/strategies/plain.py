"""No http_client is injected: the SDK makes its own, which heeds the proxy environment (#12008)."""


def create_client(sdk, client_kwargs):
    return sdk.OpenAI(**client_kwargs)
