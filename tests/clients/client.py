"""What an application sees that uses the official openai package, changed in nothing but its base_url.

Prints one JSON object: for each step what it saw. The test that starts this asserts it.
"""

import json
import sys

import openai

BASE_URL, ATTACK = sys.argv[1], sys.argv[2]


def user(text):
    return [{"role": "user", "content": text}]


def steered(control):
    return user(f"Hello. [[mock {json.dumps(control)}]]")


def said(stream):
    """The texts of a stream by choice, its finish reasons, its tool calls and its usage."""
    texts, reasons, calls, usage = {}, {}, {}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            index = str(choice.index)
            texts[index] = texts.get(index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                reasons.setdefault(index, []).append(choice.finish_reason)
            for call in choice.delta.tool_calls or []:
                known = calls.setdefault(str(call.index), {"name": "", "arguments": ""})
                known["name"] += call.function.name or ""
                known["arguments"] += call.function.arguments or ""
    return {"texts": texts, "reasons": reasons, "calls": calls, "usage": usage.model_dump() if usage else None}


def called(stream):
    """Tool calls as the documentation of the API puts them together: the first piece is kept, the others add to it."""
    calls = {}
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            if call.index not in calls:
                calls[call.index] = call
            else:
                calls[call.index].function.arguments += call.function.arguments
    return [[call.id, call.function.name, json.loads(call.function.arguments)] for call in calls.values()]


def failed(step):
    """The error that a step ends with."""
    try:
        step()
    except openai.APIError as error:
        return {
            "type": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "kind": error.type,
            "message": str(error),
            "request_id": getattr(error, "request_id", None),
        }
    return None


def main():
    client = openai.OpenAI(base_url=BASE_URL, api_key="sk-test")
    create = client.chat.completions.create
    seen = {"version": openai.__version__}

    seen["models"] = [model.id for model in client.models.list()]

    chat = create(model="demo", messages=user("Hello, who are you?"))
    seen["chat"] = {
        "text": chat.choices[0].message.content,
        "reason": chat.choices[0].finish_reason,
        "usage": chat.usage.model_dump(),
        "request_id": chat._request_id,
    }
    several = create(model="demo", messages=user("Hello."), n=2)
    seen["several"] = [choice.message.content for choice in several.choices]

    seen["stream"] = said(
        create(model="demo", messages=user("Hello."), stream=True, stream_options={"include_usage": True})
    )
    seen["stream_several"] = said(create(model="demo", messages=user("Hello."), stream=True, n=2))

    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    call = steered({"tool_call": {"name": "weather", "arguments": '{"city": "Zürich"}'}, "chunk_bytes": 3})
    chat = create(model="demo", messages=call, tools=tools)
    function = chat.choices[0].message.tool_calls[0].function
    seen["tool"] = {"name": function.name, "arguments": json.loads(function.arguments)}
    seen["tool_stream"] = said(create(model="demo", messages=call, tools=tools, stream=True))

    seen["tool_documented"] = called(create(model="demo", messages=call, tools=tools, stream=True))
    with client.chat.completions.stream(model="demo", messages=call, tools=tools) as stream:
        function = stream.get_final_completion().choices[0].message.tool_calls[0].function
        seen["tool_helper"] = [function.name, json.loads(function.arguments)]

    with client.chat.completions.stream(model="demo", messages=user("Hello.")) as stream:
        seen["helper"] = stream.get_final_completion().choices[0].message.content

    seen["blocked"] = failed(lambda: create(model="demo", messages=user(ATTACK)))
    seen["blocked_stream"] = failed(lambda: said(create(model="demo", messages=user(ATTACK), stream=True)))
    seen["cut"] = said(create(model="leak", messages=user("Hello."), stream=True))
    leak = create(model="leak", messages=user("Hello."))
    seen["cut_whole"] = {"text": leak.choices[0].message.content, "reason": leak.choices[0].finish_reason}

    other = client.with_options(max_retries=0)
    torn = steered({"fault": "cut"})
    seen["torn"] = failed(lambda: said(other.chat.completions.create(model="demo", messages=torn, stream=True)))
    seen["unavailable"] = failed(
        lambda: other.chat.completions.create(model="demo", messages=steered({"fault": "status:503"}))
    )
    seen["no_model"] = failed(lambda: create(model="nobody", messages=user("Hello.")))
    seen["embeddings"] = failed(lambda: client.embeddings.create(model="demo", input="Hello."))
    wrong = openai.OpenAI(base_url=BASE_URL, api_key="sk-wrong")
    seen["wrong_key"] = failed(lambda: wrong.chat.completions.create(model="closed", messages=user("Hello.")))
    print(json.dumps(seen))


main()
