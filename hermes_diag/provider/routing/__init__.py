"""Where a request goes: an API that replies, an endpoint beside them, the control path, or a refusal."""
