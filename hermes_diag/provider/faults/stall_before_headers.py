"""No byte for so many seconds, then a healthy reply."""

from hermes_diag.provider.exchange import Exchange
from hermes_diag.provider.faults import healthy


async def answer(exchange: Exchange, argument: str = "") -> None:
    await exchange.stall(float(argument))
    await healthy.answer(exchange)
