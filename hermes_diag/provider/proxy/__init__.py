"""The proxy in front of the provider: the hop between a client and the world, which fails on purpose."""
