"""Client lifecycles to replay: one file each, with a function `create_client(sdk, client_kwargs)` that returns an
OpenAI client (sdk: the module sdk.py) and a docstring whose first line is its help.

IN_MATRIX = True: part of the default run; else only when it is named.
"""
