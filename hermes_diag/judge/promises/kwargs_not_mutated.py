"""The call leaves its argument as it was: keys, values, what is nested in them."""

from hermes_diag.judge.promises import Audited, Verdict, failed, not_applicable, passed

CODE, ORDER = "kwargs-not-mutated", 1
PROMISE = "the caller's client_kwargs are not mutated"
WHY = "an http_client written into the dict is shared by every later request client, and closed with the first"
FIX = "copy first, kwargs = dict(client_kwargs), and write only into the copy"
REFERENCE = "#10933, #11056"


def check(audited: Audited) -> Verdict:
    if not audited.makes:
        return not_applicable("it takes no client_kwargs")
    mutation = audited.facts["mutation"]
    words = [f"{what} `{'`, `'.join(keys)}`" for what, keys in mutation.items() if keys]
    return failed("; ".join(words)) if words else passed("same keys, same objects, nothing nested was changed")
