"""The first event, then silence until the conductor lets go; then the rest."""

from hermes_diag.provider.exchange import Exchange


async def answer(exchange: Exchange, argument: str = "") -> None:
    first, *rest = exchange.events()
    exchange.start()
    exchange.send(first)
    await exchange.hold()
    exchange.send(*rest)
    exchange.finish()
