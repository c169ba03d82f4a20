"""The APIs by which a model is asked for a reply: one module each, that says how a reply looks in it. Pure.

document(model, reply)         the body of a reply that is not streamed
events(model, reply)           the events of a stream, in order, as objects
delta(model, text)             one more piece of text, for a stream that is longer than its reply
error_event(message, number)   what says in a stream that something went wrong
"""
