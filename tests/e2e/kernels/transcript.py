"""What a cell has put out, in a form in which two kernels can be compared: no ids, no dates, no chance."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from typing import Any

from tests.e2e.kernels.driven_kernel import Run

_TEMPORARY = re.compile(r"ipykernel_\d+")
# Of comms and models, of displays, of messages, of objects in memory.
_IDENTIFIER = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{24}_\d+_\d+|\b[0-9a-f]{16}\b|0x[0-9a-f]{8,}")
# What ipyparallel left in ipykernel's replies: which process has answered.
_ENGINE = ("engine_info", "engine_uuid")


def describe(run: Run) -> dict[str, Any]:
    """The run's messages, its questions and its reply; random identifiers are numbered as they appear."""
    messages = _join(
        {"type": m["msg_type"], "content": m["content"], "metadata": m["metadata"], "buffers": _read_buffers(m)}
        for m in run.messages
    )
    reply = {key: value for key, value in run.reply.items() if key not in _ENGINE}
    story = {"messages": messages, "questions": [q["content"] for q in run.questions], "reply": reply}
    return dict(json.loads(_TEMPORARY.sub("ipykernel", _number(json.dumps(story)))))


def expect_same(plain: object, remote: object) -> None:
    """Fail, with the difference, unless the two are equal."""
    if remote != plain:
        first, second = (json.dumps(story, indent=1, ensure_ascii=False).splitlines() for story in (plain, remote))
        difference = difflib.unified_diff(first, second, "plain", "choline", lineterm="", n=4)
        raise AssertionError("\n".join(line[:2000] for line in difference))


def _read_buffers(message: dict[str, Any]) -> list[str]:
    return [bytes(buffer).hex() for buffer in message.get("buffers") or ()]


def _join(messages: Any) -> list[dict[str, Any]]:
    """Adjacent text of one stream is one text: how it is cut depends on timers."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        last: dict[str, Any] = joined[-1] if joined else {"type": "", "content": {}}
        if message["type"] == last["type"] == "stream" and message["content"]["name"] == last["content"]["name"]:
            text = last["content"]["text"] + message["content"]["text"]
            last["content"] = {**last["content"], "text": text}
        else:
            joined.append(dict(message))
    return joined


def _number(text: str) -> str:
    numbers = itertools.count(1)
    names: dict[str, str] = {}
    for match in _IDENTIFIER.finditer(text):
        if match.group() not in names:
            names[match.group()] = f"id-{next(numbers)}"
    return _IDENTIFIER.sub(lambda match: names[match.group()], text)
