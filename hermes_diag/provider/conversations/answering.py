"""What answers over HTTP/1.1, WebSockets and HTTP/2 have in common: each is seen through, and has an end."""

from __future__ import annotations

from hermes_diag.provider import record
from hermes_diag.provider.answers import replies
from hermes_diag.provider.answers.refusals import INVALID
from hermes_diag.provider.exchange import JSON_HEADERS, Exchange
from hermes_diag.provider.protocols.http1 import Headers
from hermes_diag.provider.routing import routes
from hermes_diag.provider.service import Service
from hermes_diag.provider.waits import Gone

#: Seconds within which a request must have arrived, from its first byte on; a client that takes longer is answered 408.
SLOWEST = 60.0
#: What is said of a request that cannot be taken, by status.
_REFUSALS = {
    400: "This is not a valid HTTP request, or its body is not what its Content-Encoding says.",
    408: "The request has not arrived in time.",
    413: "The request body is too large.",
    415: "The content-encoding of the request body is not supported.",
    503: "As many request bodies are here as fit: try again when some have been answered.",
    501: "CONNECT is not served here.",
}


def refusal(status: int) -> tuple[Headers, bytes]:
    """Headers and body of the answer to a request that cannot be taken."""
    body = replies.error(_REFUSALS.get(status, _REFUSALS[400]), INVALID)
    return (*JSON_HEADERS, ("content-length", str(len(body)))), body


async def through(exchange: Exchange, rest: routes.Rest | None) -> bool:
    """Wait for the rest of an answer, and until it is out; whether all of it went out."""
    try:
        if rest is not None:
            await rest
        await exchange.all_sent()
        return exchange.finished
    except Gone:
        pass
    except Exception:  # whatever goes wrong in an answer, the client must not wait for ever
        exchange.connection.abort()
    return False


def over(service: Service, exchange: Exchange, finished: bool) -> None:
    """An exchange has been answered, or broken off."""
    connection, status, events = exchange.connection, exchange.status, exchange.events_sent
    if exchange.delivered and not exchange.withheld:
        routes.keep(service, exchange)
    elif exchange.number is not None:
        service.give_back(exchange.api, exchange.number)
    service.answered(record.of(exchange, connection.serial, service.begun, finished), exchange.fault, exchange.phase)
    connection.say("answered" if finished else "broken off", status=status, events=events, fault=exchange.fault)
    if connection.half_closed and not connection.gone:
        connection.say("half-closed")
