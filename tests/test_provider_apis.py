"""What clients ask for before, after and beside a turn, with the real SDK; ids, structured outputs, kept answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_tools import BODY, Client, nothing_left, request, until  # noqa: F401

from hermes_diag.provider import Provider
from hermes_diag.provider.answers import instance

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 3},
        "kind": {"enum": ["a", "b"]},
        "age": {"type": "integer", "minimum": 18, "maximum": 20},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "mail": {"type": ["null", "string"], "format": "email"},
        "children": {"type": "array", "items": {"$ref": "#"}},
        "either": {"anyOf": [{"$ref": "#/$defs/point"}, {"type": "null"}]},
    },
    "required": ["name", "kind", "age", "code", "ratio", "mail", "children", "either"],
    "additionalProperties": False,
    "$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
}
TOOL = {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(models=("gpt-*", "ft:*", "text-embedding-*", "claude-*")) as running:
        yield running


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="none", max_retries=0) as made:
        yield made


def post(provider: Provider, path: str, body: Any, **headers: str) -> Any:
    with Client(provider) as one:
        return one.ask(request(path, body, **headers))


# --- ids ---------------------------------------------------------------------------------------------


def test_ids_and_times_are_of_each_reply(client: openai.OpenAI) -> None:
    """No id comes twice, in one reply or in two; the time is now; a request can be named."""
    seen: list[str] = []
    for _ in range(2):
        reply = client.responses.create(model="gpt-5", input="hi", tools=[TOOL], tool_choice="required")
        seen += [reply.id, reply.output[0].id, reply.output[0].call_id, reply._request_id or ""]
        assert abs(reply.created_at - time.time()) < 60
        chat = client.chat.completions.create(model="gpt-5", messages=[])
        seen += [chat.id, chat._request_id or ""]
        assert abs(chat.created - time.time()) < 60
    assert all(seen)
    assert len(set(seen)) == len(seen)


def test_a_stream_has_one_id_throughout(client: openai.OpenAI) -> None:
    """What begins with an id ends with it, in both forms."""
    events = list(client.responses.create(model="gpt-5", input="hi", stream=True))
    items = {event.item_id for event in events if hasattr(event, "item_id")}
    assert items == {events[-1].response.output[0].id}
    assert events[0].response.id == events[-1].response.id
    chunks = list(client.chat.completions.create(model="gpt-5", messages=[], stream=True))
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_text_of_the_client_is_never_changed(client: openai.OpenAI) -> None:
    """What is echoed is what was sent, also where it looks like a place for an id."""
    text = '"@0123456789abcdef":0 resp_1 \N{GRINNING FACE} "created_at":1000000000000000001'
    given_back = client.responses.create(model="gpt-5", input="hi", instructions=text, metadata={"k": text})
    assert given_back.instructions == text
    assert given_back.metadata == {"k": text}


def test_fields_of_the_request_are_repeated(client: openai.OpenAI) -> None:
    """As the service does; those that were not given have its defaults."""
    wanted = {"temperature": 0.5, "top_p": 0.25, "max_output_tokens": 99, "truncation": "auto", "user": "me"}
    reply = client.responses.create(model="gpt-5", input="hi", tools=[TOOL], tool_choice="none", **wanted)
    assert {key: getattr(reply, key) for key in wanted} == wanted
    assert (reply.tool_choice, reply.tools[0].name) == ("none", "look")
    plain = client.responses.create(model="gpt-5", input="hi")
    assert (plain.temperature, plain.tools, plain.instructions) == (1.0, [], None)


# --- a reply that is broken off ------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["fin-mid-stream", "rst-mid-stream", "no-terminal-event", "truncated-event"])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_reply_that_is_broken_off_is_given_again(fault: str, streamed: bool, tmp_path: Path) -> None:
    """The retry gets the same scripted reply; what was told in full is used up."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"output": [{"text": word}]} for word in ("one", "two")]))
    if fault == "no-terminal-event" and not streamed:
        fault = "fin-mid-stream"
    seen = []
    with Provider([f"{fault}:every=2"], reply=str(script)) as provider:
        for _ in range(4):
            heard = post(provider, "/v1/responses", {**BODY, "stream": streamed})
            seen.append([word for word in ("one", "two") if f'"text":"{word}"'.encode() in heard.body])
    assert [seen[0], seen[2]] == [["one"], ["two"]]


# --- structured outputs and tools --------------------------------------------------------------------


def test_structured_outputs_fit_their_schema(client: openai.OpenAI) -> None:
    """In both APIs, streamed and not."""
    form = {"type": "json_schema", "name": "thing", "schema": SCHEMA, "strict": True}
    reply = client.responses.create(model="gpt-5", input="hi", text={"format": form})
    jsonschema.validate(json.loads(reply.output_text), SCHEMA)
    events = list(client.responses.create(model="gpt-5", input="hi", text={"format": form}, stream=True))
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    jsonschema.validate(json.loads(told), SCHEMA)
    chat_form = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA}}
    chat = client.chat.completions.create(model="gpt-5", messages=[], response_format=chat_form)
    jsonschema.validate(json.loads(chat.choices[0].message.content or ""), SCHEMA)
    free = client.chat.completions.create(model="gpt-5", messages=[], response_format={"type": "json_object"})
    assert isinstance(json.loads(free.choices[0].message.content or ""), dict)


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "name": "look"},
               {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}],
)  # fmt: skip
def test_a_tool_that_must_be_called_is_called(client: openai.OpenAI, choice: Any) -> None:
    """With arguments that fit; without the demand none is called."""
    tools = [TOOL, {**TOOL, "name": "other"}]
    reply = client.responses.create(model="gpt-5", input="hi", tools=tools, tool_choice=choice)
    assert reply.output[0].name == "look"
    jsonschema.validate(json.loads(reply.output[0].arguments), SCHEMA)
    assert client.responses.create(model="gpt-5", input="hi", tools=tools).output[0].type == "message"


def test_a_tool_that_must_be_called_in_chat(client: openai.OpenAI) -> None:
    """Streamed, with the arguments in pieces; custom tools take any text."""
    tool = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
    choice = {"type": "function", "function": {"name": "look"}}
    chunks = list(
        client.chat.completions.create(model="gpt-5", messages=[], tools=[tool], tool_choice=choice, stream=True)
    )
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    assert (calls[0].function.name, chunks[-1].choices[0].finish_reason) == ("look", "tool_calls")
    jsonschema.validate(json.loads("".join(call.function.arguments for call in calls)), SCHEMA)
    custom = {"type": "custom", "custom": {"name": "say"}}
    said = client.chat.completions.create(model="gpt-5", messages=[], tools=[custom], tool_choice="required")
    assert said.choices[0].message.tool_calls[0].custom.input


schemas = st.recursive(
    st.one_of(
        st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(lambda kind: {"type": kind}),
        st.lists(st.text() | st.integers(), min_size=1).map(lambda values: {"enum": values}),
        st.integers(-50, 50).map(lambda least: {"type": "integer", "minimum": least, "maximum": least + 3}),
        st.integers(0, 200).map(lambda least: {"type": "string", "minLength": least, "maxLength": least + 5}),
    ),
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items, "minItems": 2}),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        st.dictionaries(st.text(max_size=5), inner, max_size=4).map(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": list(parts),
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(schemas)
def test_an_instance_fits_any_schema(schema: dict[str, Any]) -> None:
    """Checked by an independent validator."""
    jsonschema.validate(instance.of(schema), schema)


@pytest.mark.parametrize(
    "schema",
    [
        # As zod writes them.
        {"type": "string", "format": "email", "pattern": r"^(?!\.)(?!.*\.\.)([\w'+\-.]*)[\w+-]@([\w-]+\.)+[a-z]{2,}$"},
        {"type": "string", "format": "duration", "pattern": r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?)$"},
        {"type": "string", "pattern": "^a+$", "minLength": 3, "maxLength": 5},
        {"type": "string", "pattern": "^[a-z]+$", "minLength": 80},
        {"allOf": [{"type": "string", "pattern": "^abc.*"}, {"type": "string", "pattern": ".*z$"}]},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
    ],
)
def test_an_instance_fits_what_libraries_write(schema: dict[str, Any]) -> None:
    """A format beside a pattern, lengths of repeats, two patterns, tuples."""
    jsonschema.validate(instance.of(schema), schema, format_checker=jsonschema.FormatChecker())


def test_an_instance_of_a_tuple_of_an_earlier_draft() -> None:
    assert instance.of({"type": "array", "items": [{"type": "boolean"}, {"type": "integer"}]}) == [True, 1]


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.text(max_size=8) | st.integers(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "allOf", "enum", "required",
                                         "pattern", "minimum", "minItems", "const", "multipleOf", "object", "array"]),
                        inner | st.sampled_from(["object", "array", "string", "#", "(a*)*", "integer"]), max_size=4),
                    max_leaves=20))  # fmt: skip
def test_no_schema_breaks_it(schema: Any) -> None:
    """What is no schema gets some value."""
    json.dumps(instance.of(schema if isinstance(schema, dict) else {"anyOf": [schema]}))


@pytest.mark.parametrize("pattern", ["(a{1000}){1000}{1000}", "((((a*)*)*)*)*", "[", "(?P<x", "a" * 5000])
def test_a_pattern_takes_no_time(pattern: str) -> None:
    """Nested repeats are not tried, broken ones are no error."""
    begun = time.monotonic()
    assert isinstance(instance.of({"type": "string", "pattern": pattern}), str)
    assert time.monotonic() - begun < 5


# --- choices, probabilities, tokens --------------------------------------------------------------------


def test_n_logprobs_and_usage_of_a_stream(client: openai.OpenAI) -> None:
    """As asked for: choices with an index, probabilities of each token, tokens in the last chunk and null before."""
    whole = client.chat.completions.create(model="gpt-5", messages=[], n=3, logprobs=True, top_logprobs=2)
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    tokens = whole.choices[2].logprobs.content
    assert "".join(token.token for token in tokens) == whole.choices[2].message.content
    assert len(tokens[0].top_logprobs) == 2
    options = {"include_usage": True}
    with client.chat.completions.with_streaming_response.create(
        model="gpt-5", messages=[], n=2, stream=True, stream_options=options
    ) as raw:
        lines = [json.loads(line[6:]) for line in raw.iter_lines() if line.startswith("data: {")]
    assert [line["usage"] for line in lines[:-1]] == [None] * (len(lines) - 1)
    assert lines[-1]["usage"]["total_tokens"] > 0
    assert {line["choices"][0]["index"] for line in lines[:-1]} == {0, 1}
    plain = list(client.chat.completions.create(model="gpt-5", messages=[], stream=True))
    assert all(chunk.usage is None for chunk in plain)
    asked = client.responses.create(model="gpt-5", input="hi", include=["message.output_text.logprobs"])
    assert asked.output[0].content[0].logprobs


def test_legacy_completions(client: openai.OpenAI) -> None:
    """Streamed and not."""
    whole = client.completions.create(model="gpt-5", prompt="hi", n=2, logprobs=1)
    assert [choice.text for choice in whole.choices] == ["Every socket you open is yours to close."] * 2
    assert len(whole.choices[0].logprobs.tokens) == 8
    chunks = list(client.completions.create(model="gpt-5", prompt="hi", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == "stop"


# --- beside a turn -------------------------------------------------------------------------------------


def test_models(client: openai.OpenAI) -> None:
    """One by its name; only a fine-tuned one can be deleted; what is not there is 404."""
    assert client.models.retrieve("gpt-5").id == "gpt-5"
    assert [model.id for model in client.models.list()] == ["gpt-5"]
    assert client.models.delete("ft:gpt-5:me").deleted
    with pytest.raises(openai.PermissionDeniedError):
        client.models.delete("gpt-5")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


def test_embeddings(client: openai.OpenAI) -> None:
    """The same vector for the same text, another for another; floats and base64 agree; of length 1."""
    model = "text-embedding-3-small"
    one, two = client.embeddings.create(model=model, input=["a", "b"], dimensions=8).data
    floats = client.embeddings.create(model=model, input="a", dimensions=8, encoding_format="float").data[0]
    assert one.embedding == pytest.approx(floats.embedding)
    assert one.embedding != two.embedding
    assert sum(number * number for number in floats.embedding) == pytest.approx(1)
    assert len(client.embeddings.create(model=model, input=[1, 2]).data[0].embedding) == 1536
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=model, input=[])
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nope", input="a")


def test_a_response_is_kept(client: openai.OpenAI, provider: Provider) -> None:
    """It can be read, its input too, and deleted; a next turn can name it. Not with store=False."""
    first = client.responses.create(model="gpt-5", input="hi", metadata={"a": "b"})
    again = client.responses.retrieve(first.id)
    assert (again.id, again.output_text, again.metadata) == (first.id, first.output_text, {"a": "b"})
    assert client.responses.input_items.list(first.id).data[0].content[0].text == "hi"
    second = client.responses.create(model="gpt-5", input="go on", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    client.responses.delete(first.id)
    hidden = client.responses.create(model="gpt-5", input="hi", store=False)
    for gone in (first.id, hidden.id, "resp_none"):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(gone)
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="gpt-5", input="hi", previous_response_id=gone)
        assert caught.value.code == "previous_response_not_found"


def test_a_streamed_response_is_kept_once_it_is_complete() -> None:
    """One that is broken off is not."""
    with Provider(["fin-mid-stream:request=1"]) as provider:
        broken, told = (post(provider, "/v1/responses", BODY) for _ in range(2))
        with Client(provider) as one:
            for heard, status in ((broken, 404), (told, 200)):
                key = heard.events[0]["response"]["id"]
                assert one.ask(request(f"/v1/responses/{key}", b"", "GET")).status == status


def test_the_background(client: openai.OpenAI) -> None:
    """Queued, in progress, completed; or cancelled."""
    begun = client.responses.create(model="gpt-5", input="hi", background=True)
    assert (begun.status, begun.output) == ("queued", [])
    assert [client.responses.retrieve(begun.id).status for _ in range(2)] == ["in_progress", "completed"]
    assert client.responses.retrieve(begun.id).output_text
    other = client.responses.create(model="gpt-5", input="hi", background=True)
    assert client.responses.cancel(other.id).status == "cancelled"
    assert client.responses.retrieve(other.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(begun.id)


def test_tokens_of_an_input_and_a_compacted_window(client: openai.OpenAI) -> None:
    assert client.responses.input_tokens.count(model="gpt-5", input="hi " * 400).input_tokens > 100
    compacted = client.responses.compact(model="gpt-5", input="hi")
    assert compacted.output[0].type == "compaction"


def test_chat_completions_are_kept_if_asked_to(client: openai.OpenAI) -> None:
    """Listed, read, given other metadata, deleted."""
    client.chat.completions.create(model="gpt-5", messages=[])
    kept = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hi"}], store=True)
    assert [one.id for one in client.chat.completions.list()] == [kept.id]
    assert client.chat.completions.update(kept.id, metadata={"a": "b"}).id == kept.id
    assert client.chat.completions.retrieve(kept.id).metadata == {"a": "b"}
    assert client.chat.completions.messages.list(kept.id).data[0].content == "hi"
    assert client.chat.completions.delete(kept.id).deleted
    assert client.chat.completions.list().data == []


def test_conversations(client: openai.OpenAI) -> None:
    """Made, changed, read page by page; a turn in one adds what was asked and answered."""
    made = client.conversations.create(metadata={"a": "b"}, items=[{"role": "user", "content": "hi"}])
    client.responses.create(model="gpt-5", input="how are you", conversation=made.id)
    items = list(client.conversations.items.list(made.id, order="asc", limit=2))
    assert [item.role for item in items] == ["user", "user", "assistant"]
    assert client.conversations.items.retrieve(items[0].id, conversation_id=made.id).id == items[0].id
    client.conversations.items.delete(items[0].id, conversation_id=made.id)
    assert len(client.conversations.items.list(made.id).data) == 2
    assert client.conversations.update(made.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(made.id)


def test_any_model_and_any_id() -> None:
    """What was never given is answered only if asked to."""
    asked = request("/v1/responses/resp_made_up", b"", "GET")
    with Provider(models=("*",)) as provider, Client(provider) as one:
        assert json.loads(one.ask(asked).body)["id"] == "resp_made_up"
    with Provider(models=("gpt-*",)) as provider, Client(provider) as one:
        assert one.ask(asked).status == 404


def test_what_is_kept_is_bounded(provider: Provider) -> None:
    """The oldest go first, by number and by bytes."""
    with Client(provider) as one:
        ids = [one.ask().events[0]["response"]["id"] for _ in range(1002)]
        status = [
            one.ask(request(f"/v1/responses/{key}", b"", "GET")).status for key in (ids[0], ids[1], ids[2], ids[-1])
        ]
        assert status == [404, 404, 200, 200]
        large = request(body={**BODY, "input": "x" * (9 * 2**20)})
        big = [one.ask(large).events[0]["response"]["id"] for _ in range(2)]
        status = [one.ask(request(f"/v1/responses/{key}", b"", "GET")).status for key in big]
        assert status == [404, 200]


# --- other forms of the paths -------------------------------------------------------------------------


def test_azure() -> None:
    """The deployment in the path is the model; a key may come in Azure's header."""
    with Provider(models=("gpt-*",), require_key=True) as provider:
        client = openai.AzureOpenAI(
            azure_endpoint=provider.base_url.removesuffix("/v1"),
            api_key="none",
            api_version="2025-01-01",
            max_retries=0,
        )
        with client:
            assert client.chat.completions.create(model="gpt-5", messages=[]).model == "gpt-5"
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="nope", messages=[])
        for path in ("/openai/v1/responses", "/openai/responses", "/openai/deployments/gpt-5/chat/completions"):
            body = {"messages": [], "input": "hi", **({} if "deployments" in path else {"model": "gpt-5"})}
            assert post(provider, path, body, api_key="none").status == 200, path


def test_the_paths_of_the_chatgpt_backend(provider: Provider) -> None:
    """Turns, kept answers and the list of models."""
    told = post(provider, "/backend-api/codex/responses", BODY)
    key = told.events[0]["response"]["id"]
    with Client(provider) as one:
        assert one.ask(request(f"/backend-api/codex/responses/{key}", b"", "GET")).status == 200
        assert json.loads(one.ask(request("/backend-api/codex/models", b"", "GET")).body) == {"models": []}


def test_anthropic_messages(provider: Provider) -> None:
    """The events of a stream in their order; a body; a tool; errors in their own form."""
    body = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}
    heard = post(provider, "/v1/messages", {**body, "stream": True})
    kinds = [kind for kind in heard.types if kind != "content_block_delta"]
    assert kinds == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert heard.headers["request-id"].startswith("req_")
    text = "".join(one["delta"]["text"] for one in heard.events if one["type"] == "content_block_delta")
    whole = json.loads(post(provider, "/v1/messages", body).body)
    assert (whole["content"][0]["text"], whole["stop_reason"]) == (text, "end_turn")
    tool = {"tools": [{"name": "look", "input_schema": SCHEMA}], "tool_choice": {"type": "tool", "name": "look"}}
    called = json.loads(post(provider, "/v1/messages", {**body, **tool}).body)
    jsonschema.validate(called["content"][0]["input"], SCHEMA)
    refused = post(provider, "/v1/messages", {**body, "model": "nope"})
    assert (refused.status, json.loads(refused.body)["error"]["type"]) == (404, "not_found_error")
    counted = post(provider, "/v1/messages/count_tokens", body)
    assert json.loads(counted.body)["input_tokens"] > 0


def test_what_is_not_there_is_said_once_and_shows_no_secret() -> None:
    """In the form of an error; the log names the path without what could be an id or a key."""
    told: list[Any] = []
    with Provider(observer=told.append) as provider, Client(provider) as one:
        for path in ("/api/show", "/api/show", "/v1/files/file-SECRET123", "/sk-secret-0123456789abcdef"):
            heard = one.ask(request(path, b"", "GET"))
            assert (heard.status, json.loads(heard.body)["error"]["code"]) == (404, "unknown_url")
        until(lambda: sum(one.what == "answered" for one in told) == 4, "four answers")
        named = [(one.method, one.path) for one in told if one.what == "asked for and not here"]
        assert named == [("GET", "/api/show"), ("GET", "/v1/files/..."), ("GET", "/...")]
        assert "fault not here" in provider.tally()
        assert "fault healthy" not in provider.tally()


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_none_is_refused_beside_a_turn_too(provider: Provider, data: bytes) -> None:
    for path in ("/v1/embeddings", "/v1/conversations", "/v1/responses/compact"):
        assert post(provider, path, data).status == 400


def test_httpx_sees_json_and_a_length(provider: Provider) -> None:
    """Also for HEAD, which has no body."""
    with httpx.Client(base_url=provider.base_url) as client:
        assert client.head("/models").headers["content-length"] == client.get("/models").headers["content-length"]
