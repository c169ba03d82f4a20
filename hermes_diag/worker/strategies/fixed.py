"""The factory copies first; every client gets a fresh http_client with the SDK's defaults (#11056, #11072)."""

IN_MATRIX = True

_context = None


def create_client(sdk, client_kwargs):
    global _context
    if _context is None:
        # The pool must be fresh, the SSLContext need not be: it costs 40 ms a piece, the rest 0.3 ms.
        _context = sdk.ssl_context()
    kwargs = dict(client_kwargs)
    kwargs.setdefault("http_client", sdk.kept_defaults_client(_context))
    return sdk.OpenAI(**kwargs)
