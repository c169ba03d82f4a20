"""Client lifecycles to replay: one file each, with one function `create_client(sdk, client_kwargs)`."""
