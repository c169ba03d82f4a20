"""hermes-diag: judge a long-lived OpenAI client by what it does to its sockets."""

__version__ = "0.1.0"
