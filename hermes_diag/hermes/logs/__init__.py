"""The log of a Hermes gateway: its files, the lines about clients in them, and what they add up to."""
