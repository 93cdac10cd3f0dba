"""What the SDK for Python is asked to do. `ci/sdk.py` starts the servers and runs this."""

import asyncio
import base64
import io
import json
import os
import platform
import time
import traceback
import urllib.request
import wave

import openai
import pydantic
from openai import AsyncOpenAI, OpenAI

SERVERS = json.loads(os.environ["SDK_SERVERS"])
MODEL = "fake-model-v1"
TEXT = "Hello, this is a fake response!"
COUNTED = "One, two, three, four, five, six, seven, eight, nine, ten."
PATIENCE_SECONDS = 60
CASES = []

WEATHER = {
    "name": "get_weather",
    "description": "The temperature in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Person(pydantic.BaseModel):
    name: str
    age: int


def case(function):
    CASES.append(function)
    return function


def client(server="open", **more):
    more = {"api_key": "any", "timeout": PATIENCE_SECONDS, "max_retries": 0, **more}
    return OpenAI(base_url=f"{SERVERS[server]}/v1", **more)


def user(text):
    return [{"role": "user", "content": text}]


def raises(kind, ask):
    """The error of exactly this class that asking raises."""
    try:
        ask()
    except openai.APIError as e:
        assert type(e) is kind, f"{type(e).__name__} instead of {kind.__name__}: {e}"
        return e
    raise AssertionError(f"no {kind.__name__}")


def fetch(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"{SERVERS['open']}{path}", data, {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def calls(status):
    """How many calls of models have ended like this."""
    listed = fetch("/api/predictions?page_size=1000")["predictions"]
    return sum(1 for call in listed if call["status"] == status)


def until(holds, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.02)


@case
def models_are_listed_and_found():
    models = client().models.list()
    ids = {model.id: model.owned_by for model in models}
    assert ids[MODEL] == "fake" and ids["echo"] == "local", ids
    assert client().models.retrieve(MODEL).id == MODEL
    assert client().models.retrieve(f"fake/{MODEL}").owned_by == "fake"
    error = raises(openai.NotFoundError, lambda: client().models.retrieve("nobody/knows"))
    assert error.code == "model_not_found", error.code


@case
def a_chat_has_an_answer():
    answer = client().chat.completions.create(model=MODEL, messages=user("hi"))
    choice = answer.choices[0]
    assert (answer.object, answer.model, choice.finish_reason) == ("chat.completion", MODEL, "stop")
    assert (choice.message.role, choice.message.content, choice.message.tool_calls) == ("assistant", TEXT, None)
    assert answer.id.startswith("chatcmpl-") and abs(answer.created - time.time()) < 3600
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@case
def a_chat_streams():
    chunks = list(client().chat.completions.create(model=MODEL, messages=user("count"), stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == COUNTED
    assert len(chunks) > 5 and len({c.id for c in chunks}) == 1
    assert chunks[-1].choices[0].finish_reason == "stop" and chunks[-1].usage is None


@case
def a_stream_tells_its_usage_when_asked():
    stream = client().chat.completions.create(
        model=MODEL, messages=user("count"), stream=True, stream_options={"include_usage": True},
    )
    last = list(stream)[-1]
    assert last.choices == [] and last.usage.completion_tokens == 10, last


@case
def a_stream_helper_puts_the_answer_together():
    with client().chat.completions.stream(model=MODEL, messages=user("count")) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert answer.choices[0].message.content == COUNTED


@case
def reasoning_is_told_beside_the_answer():
    answer = client().chat.completions.create(model=MODEL, messages=user("think"), reasoning_effort="low")
    message = answer.choices[0].message
    assert message.content == "It is 42." and message.reasoning_content == "What is the sum of it all?"


@case
def tools_are_called_and_answered():
    tools = [{"type": "function", "function": WEATHER}]
    messages = user("the weather?")
    answer = client().chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice="auto")
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    called = [(c.id, c.type, c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls]
    assert called == [
        ("call_paris", "function", "get_weather", {"city": "Paris"}), ("call_oslo", "function", "get_weather", {"city": "Oslo"}),
    ]
    messages = [*messages, choice.message]
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "21"} for c in choice.message.tool_calls]
    answer = client().chat.completions.create(model=MODEL, messages=messages, tools=tools)
    assert answer.choices[0].message.content == "It is 21 degrees in Paris and 9 in Oslo."


@case
def tools_are_called_in_a_stream():
    tools = [{"type": "function", "function": {**WEATHER, "strict": True}}]
    with client().chat.completions.stream(model=MODEL, messages=user("weather"), tools=tools) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds, kinds
    called = [(c.id, json.loads(c.function.arguments)["city"]) for c in answer.choices[0].message.tool_calls]
    assert called == [("call_paris", "Paris"), ("call_oslo", "Oslo")]


@case
def an_answer_has_the_form_of_a_class():
    answer = client().chat.completions.parse(model=MODEL, messages=user("a person"), response_format=Person)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)


@case
def pictures_sounds_and_documents_are_taken():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    content = [
        {"type": "text", "text": "what is that?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
    ]
    answer = client().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == TEXT


@case
def vectors_come_as_numbers_and_packed():
    packed = client().embeddings.create(model="fake-embedding", input=["a", "b"])
    plain = client().embeddings.create(model="fake-embedding", input=["a", "b"], encoding_format="float")
    assert [e.index for e in packed.data] == [0, 1] and len(packed.data[0].embedding) == 1536
    for one, other in zip(packed.data, plain.data):
        assert all(abs(a - b) < 1e-6 for a, b in zip(one.embedding, other.embedding))
    short = client().embeddings.create(model="fake-embedding", input="a", dimensions=8)
    assert len(short.data[0].embedding) == 8 and short.usage.prompt_tokens == 1
    error = raises(openai.BadRequestError, lambda: client().embeddings.create(model="fake-embedding", input=[[1, 2]]))
    assert error.param == "input"


@case
def pictures_are_drawn_and_changed():
    drawn = client().images.generate(model="fake-image-model", prompt="a cat", n=2, size="512x512")
    pictures = [base64.b64decode(image.b64_json) for image in drawn.data]
    assert len(pictures) == 2 and all(p.startswith(b"\x89PNG") for p in pictures)
    changed = client().images.edit(model="fake-image-model", prompt="a dog", image=("a.png", pictures[0], "image/png"))
    assert base64.b64decode(changed.data[0].b64_json).startswith(b"\x89PNG")
    ask = lambda: client().images.generate(model="fake-image-model", prompt="a cat", response_format="url")
    assert raises(openai.BadRequestError, ask).param == "response_format"


@case
def speech_is_spoken_and_written_down():
    with client().audio.speech.with_streaming_response.create(
        model="fake-tts", voice="fake-voice", input="hi", response_format="pcm",
    ) as speech:
        assert len(b"".join(speech.iter_bytes())) == 48_000
    sound = client().audio.speech.create(model="fake-tts", voice="fake-voice", input="hi", response_format="wav").content
    with wave.open(io.BytesIO(sound)) as heard:
        assert (heard.getframerate(), heard.getnchannels(), heard.getsampwidth()) == (24_000, 1, 2)
    ask = lambda: client().audio.speech.create(model="fake-tts", voice="fake-voice", input="hi", response_format="mp3")
    assert "mp3" in raises(openai.BadRequestError, ask).message
    write = client().audio.transcriptions.create
    assert write(model="fake-asr", file=("a.wav", sound)).text == "This is a fake transcription."
    assert write(model="fake-asr", file=("a.wav", sound), response_format="text") == "This is a fake transcription.\n"
    assert write(model="fake-asr", file=("a.wav", sound), response_format="verbose_json").task == "transcribe"


@case
def a_response_has_an_answer():
    answer = client().responses.create(model=MODEL, input="count", instructions="be brief")
    assert (answer.status, answer.output_text, answer.object) == ("completed", COUNTED, "response")
    assert answer.usage.output_tokens == 10 and answer.usage.total_tokens > 10
    assert answer.error is None and answer.instructions == "be brief"


@case
def a_response_streams_its_events():
    events = list(client().responses.create(model=MODEL, input=user("count"), stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == COUNTED
    assert events[-1].response.output_text == COUNTED


@case
def a_response_helper_puts_reasoning_and_answer_together():
    with client().responses.stream(model=MODEL, input="think") as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_response()
    assert {"response.reasoning_summary_text.delta", "response.output_text.delta"} <= kinds
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == "What is the sum of it all?" and answer.output_text == "It is 42."


@case
def a_response_calls_tools_and_takes_their_answers():
    tools = [{"type": "function", "strict": True, **WEATHER}]
    for streams in (False, True):
        if streams:
            with client().responses.stream(model=MODEL, input=user("weather"), tools=tools) as stream:
                kinds = {event.type for event in stream}
                answer = stream.get_final_response()
            assert "response.function_call_arguments.done" in kinds
        else:
            answer = client().responses.create(model=MODEL, input=user("weather"), tools=tools)
        called = [(item.call_id, json.loads(item.arguments)["city"]) for item in answer.output]
        assert called == [("call_paris", "Paris"), ("call_oslo", "Oslo")]
        items = [*user("weather"), *answer.output]
        items += [{"type": "function_call_output", "call_id": item.call_id, "output": "21"} for item in answer.output]
        answer = client().responses.create(model=MODEL, input=items, tools=tools)
        assert answer.output_text == "It is 21 degrees in Paris and 9 in Oslo."


@case
def a_response_has_the_form_of_a_class():
    answer = client().responses.parse(model=MODEL, input="a person", text_format=Person)
    assert answer.output_parsed == Person(name="Ada", age=36)


@case
def what_needs_a_stored_response_is_refused():
    ask = lambda **more: client().responses.create(model=MODEL, input="hi", **more)
    assert ask(store=True).output_text == TEXT
    assert raises(openai.BadRequestError, lambda: ask(previous_response_id="resp_1")).param == "previous_response_id"
    assert raises(openai.BadRequestError, lambda: ask(background=True)).param == "background"
    assert raises(openai.BadRequestError, lambda: ask(tools=[{"type": "web_search"}])).param == "tools[0].type"


@case
def a_stream_that_is_left_is_cancelled():
    before = calls("cancelled")
    stream = client().chat.completions.create(model=MODEL, messages=user("hang on"), stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    until(lambda: calls("cancelled") == before + 1, "the end of the call")
    with client().responses.create(model=MODEL, input="hang on", stream=True) as events:
        next(event for event in events if event.type == "response.output_text.delta")
    until(lambda: calls("cancelled") == before + 2, "the end of the call")


@case
def a_client_that_waits_no_longer_cancels():
    before = calls("cancelled")
    impatient = client(timeout=1)
    raises(openai.APITimeoutError, lambda: impatient.chat.completions.create(model=MODEL, messages=user("say nothing")))
    until(lambda: calls("cancelled") == before + 1, "the end of the call")


@case
def errors_have_their_classes():
    ask = lambda text, **more: lambda: client().chat.completions.create(
        **{"model": MODEL, "messages": user(text), **more}
    )
    error = raises(openai.NotFoundError, ask("hi", model="nobody-knows"))
    assert (error.code, error.param, error.type) == ("model_not_found", "model", "invalid_request_error")
    error = raises(openai.BadRequestError, ask("hi", messages=[]))
    assert error.param == "messages" and error.body["message"] in str(error)
    assert raises(openai.BadRequestError, ask("hi", n=2)).param == "n"
    assert raises(openai.BadRequestError, ask("hi", temperature=9)).param == "temperature"
    part = [{"role": "user", "content": [{"type": "hologram"}]}]
    assert raises(openai.BadRequestError, ask("hi", messages=part)).param == "messages[0].content[0].type"
    assert raises(openai.BadRequestError, ask("too long")).code == "context_length_exceeded"
    assert raises(openai.PermissionDeniedError, ask("not allowed")).code == "permission_denied"
    assert raises(openai.RateLimitError, ask("no credit")).code == "insufficient_quota"
    error = raises(openai.RateLimitError, ask("too fast"))
    assert (error.code, error.status_code) == ("rate_limit_exceeded", 429)
    error = raises(openai.InternalServerError, ask("on fire"))
    assert error.status_code == 502 and "on fire" in error.message


@case
def errors_before_a_stream_have_their_classes_too():
    ask = lambda text: lambda: client().chat.completions.create(model=MODEL, messages=user(text), stream=True)
    assert raises(openai.RateLimitError, ask("too fast")).status_code == 429
    ask = lambda: client().responses.create(model="nobody-knows", input="hi", stream=True)
    assert raises(openai.NotFoundError, ask).code == "model_not_found"


@case
def an_error_in_the_middle_is_told_in_the_text():
    chunks = list(client().chat.completions.create(model=MODEL, messages=user("break off"), stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert text == "Half an answerError: lost the thread", text
    assert chunks[-1].choices[0].finish_reason == "stop"
    events = list(client().responses.create(model=MODEL, input="break off", stream=True))
    assert events[-1].type == "response.failed" and events[-1].response.error.message == "lost the thread"


@case
def a_server_with_a_token_asks_for_it():
    raises(openai.AuthenticationError, lambda: client("static").models.list())
    ask = lambda: client("static").chat.completions.create(model=MODEL, messages=user("hi"))
    error = raises(openai.AuthenticationError, ask)
    assert error.code == "invalid_api_key" and error.message
    known = client("static", api_key=SERVERS["token"])
    assert known.chat.completions.create(model=MODEL, messages=user("hi")).choices[0].message.content == TEXT


@case
def a_workflow_is_a_model():
    with open(os.path.join(os.path.dirname(__file__), "greeter.json")) as file:
        saved = fetch("/api/workflows/", {**json.load(file), "access": "private"})
    ids = {model.id: model.owned_by for model in client().models.list()}
    assert ids["workflow/Greeter"] == "workflow", ids
    assert client().models.retrieve("workflow/Greeter").id == "workflow/Greeter"
    for server, model in (("open", "workflow/Greeter"), ("open", f"workflow/{saved['id']}"), ("chat", "workflow/Greeter")):
        answer = client(server).chat.completions.create(model=model, messages=user("Ada"))
        assert answer.choices[0].message.content == "Hello, Ada" and answer.model == model
        chunks = client(server).chat.completions.create(model=model, messages=user("Ada"), stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello, Ada"
    assert client("chat").responses.create(model="workflow/Greeter", input="Ada").output_text == "Hello, Ada"
    ask = lambda: client().chat.completions.create(model="workflow/Nobody", messages=user("hi"))
    assert raises(openai.NotFoundError, ask).code == "model_not_found"


@case
def a_chat_server_answers_without_a_store():
    ids = {model.id for model in client("chat").models.list()}
    assert {MODEL, "workflow/Greeter"} <= ids
    answer = client("chat").chat.completions.create(model=MODEL, messages=user("hi"))
    assert answer.choices[0].message.content == TEXT


@case
def the_client_that_does_not_block_does_all_that_too():
    async def ask():
        async with AsyncOpenAI(base_url=f"{SERVERS['open']}/v1", api_key="any", max_retries=0) as asynchronous:
            assert MODEL in [model.id async for model in asynchronous.models.list()]
            many = [asynchronous.chat.completions.create(model=MODEL, messages=user("hi")) for _ in range(20)]
            assert {answer.choices[0].message.content for answer in await asyncio.gather(*many)} == {TEXT}
            stream = await asynchronous.chat.completions.create(model=MODEL, messages=user("count"), stream=True)
            assert "".join([c.choices[0].delta.content or "" async for c in stream]) == COUNTED
            async with asynchronous.responses.stream(model=MODEL, input="count") as events:
                assert (await events.get_final_response()).output_text == COUNTED
            packed = await asynchronous.embeddings.create(model="fake-embedding", input="a")
            assert len(packed.data[0].embedding) == 1536

    asyncio.run(ask())


def main():
    print(f"Python {platform.python_version()}, openai {openai.__version__}, pydantic {pydantic.VERSION}")
    failed = 0
    for function in CASES:
        try:
            function()
            print(f"ok      {function.__name__}", flush=True)
        # Whatever goes wrong in a case is its failure and no reason to leave out the next.
        except Exception:
            failed += 1
            print(f"FAILED  {function.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
