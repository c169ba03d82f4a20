"""The stand-in for openai-codex: speaks its protocol, misbehaves on purpose, remembers what it saw."""
