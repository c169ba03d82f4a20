"""What a shell completes. Each function takes what was typed so far and gives (word, its help)."""

from __future__ import annotations

from collections.abc import Iterable

Words = list[tuple[str, str]]


def _from(words: Iterable[tuple[str, str]], typed: str) -> Words:
    return [(word, text) for word, text in words if word.startswith(typed)]


def _leaves(folder: str, typed: str) -> Words:
    from hermes_diag.core.leaves import leaves

    return _from(((name, leaf.summary) for name, leaf in leaves(folder).items()), typed)


def faults(incomplete: str) -> Words:
    from hermes_diag.provider import faults as found

    return _from(((name, fault.summary) for name, fault in found.catalogue().items()), incomplete)


def plans(incomplete: str) -> Words:
    from hermes_diag.provider.plans import plan

    return _from((("list", "show the named days"), *plan.days().items()), incomplete)


def scenarios(incomplete: str) -> Words:
    from hermes_diag.judge import scenarios as found

    named = ((name, found.summary(name)) for name in found.catalogue())
    return _from((("list", "show the catalogue"), *named), incomplete)


def formats(incomplete: str) -> Words:
    from hermes_diag.reporters import formats as found

    return _from(((name, found.summary(name)) for name in found.names()), incomplete)


def states(incomplete: str) -> Words:
    from hermes_diag.watch.filters import STATES

    return [(state.lower(), "") for state in STATES if state.lower().startswith(incomplete.lower())]


def strategies(incomplete: str) -> Words:
    return _leaves("strategies", incomplete)


def ends(incomplete: str) -> Words:
    return _from((("close", "the caller closes its request client"), ("abandon", "nobody closes it")), incomplete)


def apis(incomplete: str) -> Words:
    from hermes_diag.hermes.cells import APIS

    return _from(((name, "") for name in APIS), incomplete)


def workloads(incomplete: str) -> Words:
    return _leaves("workloads", incomplete)


def auth(incomplete: str) -> Words:
    words = (("env:", "the key in a variable"), ("hermes", "the token of Hermes"), ("codex", "that of the Codex CLI"))
    return _from(words, incomplete)


def check_conditions(incomplete: str) -> Words:
    from hermes_diag.judge.settings import METRICS

    return _from(((f"{name} > ", meaning) for name, meaning in METRICS.items()), incomplete)


def expectations(incomplete: str) -> Words:
    from hermes_diag.judge.expectations import EXPECTATIONS

    return _from(
        ((name if read is None else f"{name}=", how) for name, (read, _, how) in EXPECTATIONS.items()), incomplete
    )


def findings(incomplete: str) -> Words:
    from hermes_diag.judge import settings

    return _from(((f"{code}:", "") for code in settings.codes()), incomplete)


def conditions(incomplete: str) -> Words:
    from hermes_diag.watch.filters import STATES

    metrics = ["fds > ", "threads > ", "rss > ", "fds.growth > ", "threads.growth > ", "rss.growth > "]
    metrics += [f"{state.lower()}.{kind} > " for state in STATES for kind in ("age", "growth")]
    return _from(((metric, "") for metric in metrics), incomplete)


def clients(incomplete: str) -> Words:
    from hermes_diag.cli.clients import CLIENTS

    return _from(((name, (lines.__doc__ or "").partition("\n")[0]) for name, lines in CLIENTS.items()), incomplete)
