"""Judges exchanges between this project's clients of model providers and their stubs by the providers' own libraries.

An exchange passes when the library's types accept the request, the library itself sends the same JSON to the same
place, and it reads the answer, strictly, into what our client read. Differences that are meant are in judges.toml. It
must not know how exchanges come to be; ci/judges.py runs it, with the libraries of ci/judges.txt.

Run: python judge_exchanges.py <folder of exchanges> <file of meant differences>
"""

import base64
import collections
import email
import email.policy
import http.server
import inspect
import json
import pathlib
import re
import sys
import threading
import tomllib
import typing

# The libraries take any iterable where the wire has a list. Pydantic looks into lists only, so for their types an
# iterable is one.
import httpx2  # noqa: F401
import pydantic
import typing_extensions

_iterable, typing.Iterable = typing.Iterable, typing.List
import anthropic
import anthropic.types
import openai
from openai.types import embedding_create_params, image_edit_params, image_generate_params
from openai.types.audio import speech_create_params, transcription_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

typing.Iterable = _iterable

from google import genai
from google.genai import types as gemini_types

STRICT = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
KEY = "a-key-for-tests"
SECONDS = 20
# Reads of our clients that are compared: what a person or a tool would notice.
READ = ["text", "reasoning", "calls"]


def close_types():
    """Has the libraries' types of requests refuse fields they do not name."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("openai.types", "anthropic.types")):
            for kind in vars(module).values():
                if typing_extensions.is_typeddict(kind):
                    kind.__pydantic_config__ = STRICT


class Different(Exception):
    """The library would have done something else."""


class Stub(http.server.ThreadingHTTPServer):
    """Answers whatever it is asked as `exchange` was answered, and keeps what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.exchange = None
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.command, self.path, self.headers, body))
        exchange = self.server.exchange
        self.send_response(exchange.status)
        self.send_header("content-type", exchange.kind)
        self.send_header("content-length", str(len(exchange.answer)))
        self.end_headers()
        self.wfile.write(exchange.answer)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Exchange:
    def __init__(self, told):
        self.test, self.provider = told["test"], told["provider"]
        self.method, self.path, self.headers = told["method"], told["path"], told["headers"]
        self.status, self.kind = told["status"], told["kind"]
        self.answer = base64.b64decode(told["answer"])
        self.raw = base64.b64decode(told["body"])
        self.order = told["order"]
        self.read = None
        self.body = self.form() if "multipart/" in self.headers.get("content-type", "") else self.json()

    def __str__(self):
        return f"{self.test}: {self.provider} {self.method} {self.path}"

    def json(self):
        return json.loads(self.raw) if self.raw else None

    def form(self):
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + self.raw, policy=email.policy.HTTP).iter_parts()
        fields = collections.defaultdict(list)
        for part in parts:
            name = part.get_param("name", header="content-disposition")
            contents = part.get_payload(decode=True)
            if part.get_filename() is None:
                value = contents.decode()
                # Numbers have no other form in a form.
                fields[name].append(int(value) if re.fullmatch(r"\d+", value) else value)
            else:
                fields[name].append((part.get_filename(), contents, part.get_content_type()))
        return {name.removesuffix("[]"): v if name.endswith("[]") else v[0] for name, v in fields.items()}

    @property
    def is_form(self):
        return "multipart/" in self.headers.get("content-type", "")

    @property
    def route(self):
        return self.path.partition("?")[0]


def called(function, body, **more):
    """Calls a function of a library with the fields of a body; those it does not know go beside them."""
    known = inspect.signature(function).parameters
    own = {name: value for name, value in body.items() if name in known}
    extra = {name: value for name, value in body.items() if name not in known}
    return function(**own, **more, **({"extra_body": extra} if extra else {}))


class OpenAi:
    TYPES = {
        "/chat/completions": completion_create_params.CompletionCreateParamsStreaming,
        "/responses": response_create_params.ResponseCreateParamsStreaming,
        "/embeddings": embedding_create_params.EmbeddingCreateParams,
        "/images/generations": image_generate_params.ImageGenerateParamsNonStreaming,
        "/images/edits": image_edit_params.ImageEditParamsNonStreaming,
        "/audio/speech": speech_create_params.SpeechCreateParams,
        "/audio/transcriptions": transcription_create_params.TranscriptionCreateParamsNonStreaming,
    }

    def __init__(self, address):
        self.client = openai.OpenAI(
            base_url=address + "/v1", api_key=KEY, max_retries=0, timeout=SECONDS, _strict_response_validation=True,
        )
        # With the strict one vectors as base64, which the library asks for, are no vectors.
        self.lenient = openai.OpenAI(base_url=address + "/v1", api_key=KEY, max_retries=0, timeout=SECONDS)
        self.adapters = {route: pydantic.TypeAdapter(kind) for route, kind in self.TYPES.items()}

    def accept(self, exchange, body):
        check = self.adapters[exchange.route.removeprefix("/v1")]
        if exchange.is_form:
            check.validate_python(body)
        else:
            check.validate_json(json.dumps(body), strict=True)

    def use(self, exchange):
        client, route = self.client, exchange.route.removeprefix("/v1")
        if route == "/models":
            return client.models.list().data and None
        use = {
            "/chat/completions": (client.chat.completions.create, self.chunks),
            "/responses": (client.responses.create, self.events),
            "/embeddings": (self.lenient.embeddings.create, self.vectors),
            "/images/generations": (client.images.generate, lambda told: told.data[0].b64_json and None),
            "/images/edits": (client.images.edit, lambda told: told.data[0].b64_json and None),
            "/audio/speech": (client.audio.speech.create, lambda told: told.content and None),
            "/audio/transcriptions": (client.audio.transcriptions.create, lambda told: told.text and None),
        }
        function, read = use[route]
        body = exchange.body
        if body.get("encoding_format") == "base64":
            # The library asks for it by itself, and only then reads it.
            body = {name: value for name, value in body.items() if name != "encoding_format"}
        return read(called(function, body))

    def vectors(self, told):
        for one in told.data:
            if not all(isinstance(number, (int, float)) for number in one.embedding) or isinstance(one.embedding, str):
                raise Different("the library read no vectors")

    def chunks(self, stream):
        read, calls, finish = {"text": "", "reasoning": ""}, {}, None
        for chunk in stream:
            for choice in chunk.choices:
                delta = choice.delta
                read["text"] += (delta.content or "") + (delta.refusal or "")
                for call in delta.tool_calls or []:
                    made = calls.setdefault(call.index, ["", "", ""])
                    made[0] = call.id or made[0]
                    made[1] += call.function.name or ""
                    made[2] += call.function.arguments or ""
                finish = choice.finish_reason or finish
        if finish is None:
            raise Different("the library saw no end of the answer")
        return {**read, "calls": [calls[at] for at in sorted(calls)]}

    def events(self, stream):
        read, calls, ended = {"text": "", "reasoning": ""}, {}, False
        for event in stream:
            match event.type:
                case "response.output_text.delta" | "response.refusal.delta":
                    read["text"] += event.delta
                case "response.reasoning_summary_part.added" if read["reasoning"]:
                    read["reasoning"] += "\n\n"
                case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                    read["reasoning"] += event.delta
                case "response.output_item.done" if event.item.type == "function_call":
                    calls[event.output_index] = [event.item.call_id, event.item.name, event.item.arguments]
                case "response.completed" | "response.incomplete" | "response.failed" | "error":
                    ended = True
        if not ended:
            raise Different("the library saw no end of the answer")
        return {**read, "calls": [calls[at] for at in sorted(calls)]}

    failure = openai.APIStatusError


class Anthropic:
    def __init__(self, address):
        self.client = anthropic.Anthropic(
            base_url=address, api_key=KEY, max_retries=0, timeout=SECONDS, _strict_response_validation=True,
        )
        self.request = pydantic.TypeAdapter(anthropic.types.message_create_params.MessageCreateParamsStreaming)

    def accept(self, exchange, body):
        self.request.validate_json(json.dumps(body), strict=True)

    def use(self, exchange):
        if exchange.route == "/v1/models":
            # One page: the stub would give it for ever.
            return self.client.models.list().data and None
        for _ in called(self.client.messages.create, exchange.body):
            pass
        body = {name: value for name, value in exchange.body.items() if name != "stream"}
        with called(self.client.messages.stream, body) as stream:
            message = stream.get_final_message()
        if message.stop_reason is None:
            raise Different("the library saw no end of the answer")
        content = message.content
        return {
            "text": "".join(block.text for block in content if block.type == "text"),
            "reasoning": "".join(block.thinking for block in content if block.type == "thinking"),
            "calls": [[b.id, b.name, json.dumps(b.input)] for b in content if b.type == "tool_use"],
        }

    failure = anthropic.APIStatusError


class Gemini:
    def __init__(self, address):
        self.client = genai.Client(
            api_key=KEY,
            http_options={
                "base_url": address, "api_version": "v1beta", "timeout": SECONDS * 1000,
                "retry_options": {"attempts": 1},
            },
        )

    def accept(self, exchange, body):
        config = self.config(exchange, body)
        if config is not None:
            gemini_types.GenerateContentConfig.model_validate(config)
            for content in body["contents"]:
                gemini_types.Content.model_validate(content)

    def config(self, exchange, body):
        if not exchange.route.endswith("enerateContent"):
            return None
        beside = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
        return {**beside, **body.get("generationConfig", {})}

    def use(self, exchange):
        model, _, verb = exchange.route.removeprefix("/v1beta/models/").partition(":")
        body, models = exchange.body, self.client.models
        match verb:
            case "streamGenerateContent" | "generateContent":
                whole = [exchange.answer]
                if verb == "streamGenerateContent":
                    lines = exchange.answer.decode().splitlines()
                    whole = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
                for answer in whole:
                    gemini_types.GenerateContentResponse.model_validate_json(answer)
                ask = {"model": model, "contents": body["contents"], "config": self.config(exchange, body)}
                if verb == "generateContent":
                    return self.read([models.generate_content(**ask)])
                return self.read(models.generate_content_stream(**ask))
            case "batchEmbedContents":
                told = models.embed_content(
                    model=model,
                    contents=[one["content"] for one in body["requests"]],
                    config={"output_dimensionality": body["requests"][0].get("outputDimensionality")},
                )
                if not told.embeddings[0].values:
                    raise Different("the library read no vectors")
            case "predict":
                given = body.get("parameters", {})
                told = models.generate_images(
                    model=model,
                    prompt=body["instances"][0]["prompt"],
                    config={"numberOfImages" if k == "sampleCount" else k: v for k, v in given.items()},
                )
                if not told.generated_images:
                    raise Different("the library read no pictures")
            case "predictLongRunning":
                given, [instance] = body.get("parameters", {}), body["instances"]
                image = instance.get("image")
                image = image and {"imageBytes": image["bytesBase64Encoded"], "mimeType": image["mimeType"]}
                told = models.generate_videos(
                    model=model,
                    prompt=instance["prompt"],
                    image=image,
                    config={"numberOfVideos" if k == "sampleCount" else k: v for k, v in given.items()},
                )
                if not told.name:
                    raise Different("the library read no operation")
            case "" if "/operations/" in exchange.route:
                name = exchange.route.removeprefix("/v1beta/")
                operation = gemini_types.GenerateVideosOperation(name=name)
                told = self.client.operations.get(operation)
                if told.done and not told.error and not told.response.generated_videos[0].video.uri:
                    raise Different("the library read no video")
            case "" if exchange.route == "/v1beta/models":
                # One page: the stub would give it for ever.
                self.client.models.list(config={"query_base": True}).page
            case _:
                raise Different("no judge knows this path")
        return None

    def read(self, answers):
        read, calls = {"text": "", "reasoning": ""}, []
        for answer in answers:
            content = answer.candidates[0].content if answer.candidates else None
            for part in (content and content.parts) or []:
                if part.text:
                    read["reasoning" if part.thought else "text"] += part.text
                if part.function_call:
                    call = part.function_call
                    calls.append([call.id, call.name, json.dumps(call.args or {})])
        return {**read, "calls": calls}

    failure = genai.errors.APIError


def without(body, path):
    """A copy of a body without a field, such as `messages[].name`; nothing when it is not there."""
    step, _, rest = path.partition(".")
    name, lists = step.removesuffix("[]"), step.endswith("[]")
    if not isinstance(body, dict) or name not in body:
        return None
    if not rest:
        return {key: value for key, value in body.items() if key != name}
    if not lists:
        inner = without(body[name], rest)
        return None if inner is None else {**body, name: inner}
    if not isinstance(body[name], list):
        return None
    inner = [without(item, rest) for item in body[name]]
    if all(item is None for item in inner):
        return None
    return {**body, name: [old if new is None else new for old, new in zip(body[name], inner)]}


def of_google(value):
    """A body for Google, which reads names of fields in both spellings, its own enums in small and in capital letters,
    and an empty object as none. Made the same for what the library sent and for what our client sent."""
    if isinstance(value, list):
        return [of_google(part) for part in value]
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, part in value.items():
        name = re.sub(r"_(.)", lambda found: found[1].upper(), key)
        if part is None or (name, part) == ("generationConfig", {}):
            continue
        is_enum = name in ("type", "thinkingLevel") and isinstance(part, str)
        plain[name] = part.upper() if is_enum else of_google(part)
    return plain


def arguments(read):
    """What was read, with the arguments of calls as values where they are any."""
    def value(text):
        try:
            return json.loads(text or "{}")
        except ValueError:
            return text
    return {**{name: read[name] for name in READ}, "calls": [[c[0], c[1], value(c[2])] for c in read["calls"]]}


class Judge:
    def __init__(self, meant):
        self.stub = Stub()
        self.meant = meant
        self.used = [False] * len(meant)
        self.passed, self.failed = 0, 0
        family = OpenAi(self.stub.address)
        self.libraries = collections.defaultdict(lambda: family)
        self.libraries["anthropic"] = Anthropic(self.stub.address)
        self.libraries["gemini"] = Gemini(self.stub.address)

    def check(self, what, good, why=""):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        if not good:
            print(f"not so: {what}\n    " + "\n    ".join(str(why).splitlines()[:24]))

    def step(self, exchange, step, act):
        """One step of an exchange: it goes well, or a meant difference says why not."""
        try:
            act(exchange.body)
        except Exception as e:
            good = any([self.excuses(at, exchange, step, act) for at in range(len(self.meant))])
            self.check(f"{exchange}: {step}", good, f"{type(e).__name__}: {e.__cause__ or e}")
        else:
            self.check(f"{exchange}: {step}", True)

    def is_strict(self, exchange):
        """Shows that the types would have seen a field nobody knows."""
        body = {**exchange.body, "no_such_field": 1}
        try:
            self.libraries[exchange.provider].accept(exchange, body)
        except pydantic.ValidationError as e:
            self.check(f"{exchange}: the field is named", "no_such_field" in str(e), e)
        else:
            self.check(f"{exchange}: an unknown field is refused", False)

    def excuses(self, at, exchange, step, act):
        entry = self.meant[at]
        fits = entry["step"] == step and re.fullmatch(entry.get("test", ".*"), exchange.test)
        fits = fits and re.fullmatch(entry.get("paths", ".*"), exchange.route)
        if not fits or exchange.provider not in entry.get("providers", [exchange.provider]):
            return False
        body = exchange.body
        for path in entry.get("without", []):
            body = without(body, path) or body
        if body is not exchange.body:
            try:
                act(body)
            except Exception:
                return False
        elif "without" in entry:
            return False
        self.used[at] = True
        return True

    def judge(self, exchange):
        library = self.libraries[exchange.provider]
        if exchange.method == "POST":
            self.step(exchange, "request", lambda body: library.accept(exchange, body))
        # Answers of these tests are broken on purpose.
        if "::broken::" in exchange.test:
            return
        self.stub.exchange = exchange
        self.stub.asked.clear()
        self.step(exchange, "answer", lambda _: self.answer(library, exchange))
        if exchange.method == "POST":
            self.step(exchange, "sending", lambda _: self.sending(exchange))
        if "anthropic-version" in exchange.headers:
            self.step(exchange, "version", lambda _: self.version(exchange))

    def answer(self, library, exchange):
        try:
            read = library.use(exchange)
        except library.failure as e:
            status = getattr(e, "status_code", None) or e.code
            if status != exchange.status:
                raise
            return
        if exchange.status >= 400:
            raise Different(f"the library took the status {exchange.status} for an answer")
        if read is not None and exchange.read is not None and arguments(read) != arguments(exchange.read):
            raise Different(f"the library read {read}\nour client read   {exchange.read}")

    def sending(self, exchange):
        if not self.stub.asked:
            raise Different("the library sent nothing")
        method, path, headers, raw = self.stub.asked[0]
        told = {"test": "", "provider": "", "status": 0, "kind": "", "answer": "", "order": 0}
        told |= {"method": method, "path": path, "body": base64.b64encode(raw)}
        sent = Exchange({**told, "headers": {"content-type": headers.get("content-type", "")}})
        if (sent.method, sent.route) != (exchange.method, exchange.route):
            raise Different(f"the library asks {sent.method} {sent.route}")
        plain = of_google if exchange.provider == "gemini" else lambda body: body
        if plain(sent.body) != plain(exchange.body):
            raise Different(f"the library sent {sent.body}\nour client sent  {exchange.body}")

    def version(self, exchange):
        sent, ours = self.stub.asked[0][2].get("anthropic-version"), exchange.headers.get("anthropic-version")
        if sent != ours:
            raise Different(f"the library speaks the version {sent} of the wire, our client {ours}")


def exchanges(folder):
    """All exchanges by test and order, each with what our client read of it."""
    told = [json.loads(file.read_text()) for file in pathlib.Path(folder).iterdir()]
    told.sort(key=lambda one: (one["test"], one["order"]))
    read = []
    for one in told:
        if "read" not in one:
            read.append(Exchange(one))
        elif read and read[-1].test == one["test"]:
            read[-1].read = one["read"]
    return read


def main(folder, meant):
    close_types()
    judge = Judge(tomllib.loads(pathlib.Path(meant).read_text())["meant"])
    every = exchanges(folder)
    for exchange in every:
        judge.judge(exchange)
    routes = {
        (one.provider, one.route): one for one in every
        if one.method == "POST" and one.provider in ("openai", "anthropic", "gemini")
    }
    for (provider, route), exchange in routes.items():
        if provider != "gemini" or route.endswith("enerateContent"):
            judge.is_strict(exchange)
    for entry, used in zip(judge.meant, judge.used):
        judge.check(f"a meant difference that is still there: {entry}", used)
    for provider in ["openai", "anthropic", "gemini"]:
        judge.check(f"exchanges with {provider}", any(one.provider == provider for one in every), "there are none")
    compared = sum(one.read is not None for one in every)
    judge.check("answers that are compared", compared >= 50, f"there are {compared}")
    print(f"judged {len(every)} exchanges with OpenAI's, Anthropic's and Google's libraries")
    print(f"{judge.passed} passed, {judge.failed} failed")
    return judge.failed != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
