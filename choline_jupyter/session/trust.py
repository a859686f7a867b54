"""Whose machine an output comes from, and what of the output may be shown for it.

Called by whatever forwards events into a notebook or terminal, before it does so. Promise: what the user's own machine
sends, and what `--trust` was given for, passes unchanged; of what a rented machine sends, nothing that is shown can run
a script, reach the network, drive the notebook or the terminal: it is rebuilt from the few fields and MIME types known
to be data, and what is left out is said.
"""

from __future__ import annotations

from typing import Any

from choline_jupyter.model.event import Kind
from choline_jupyter.model.session import Trust
from choline_jupyter.session.ansi import Sanitiser, sanitise
from choline_jupyter.session.mime import clean_bundle, clean_json, clean_metadata

Content = dict[str, Any]


class OutputFilter:
    """The outputs of one rank of one job, in order. Owned by one thread.

    It has a memory: the beginning of an escape sequence may come in one stream message, its end in the next.
    """

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._streams = {"stdout": Sanitiser(), "stderr": Sanitiser()}

    def filter_message(self, kind: Kind, content: Content, metadata: Content) -> tuple[Content, Content] | None:
        """A Jupyter message's content and metadata as they may be shown; None where nothing of it may be.

        For OWN and TRUSTED the same objects; never raises, whatever the machine sent.
        """
        if self._trust is not Trust.RENTED:
            return content, metadata
        cleaned = self._clean_content(kind, content)
        return None if cleaned is None else (cleaned, {})

    def _clean_content(self, kind: Kind, content: Content) -> Content | None:
        if kind is Kind.STREAM:
            return self._clean_stream(content)
        if kind in {Kind.DISPLAY, Kind.UPDATE, Kind.RESULT}:
            return _clean_display(content)
        if kind is Kind.ERROR:
            return _clean_error(content)
        if kind is Kind.CLEAR:
            return {"wait": content.get("wait") is True}
        if kind is Kind.INPUT:
            return {"prompt": _clean_text(content.get("prompt")), "password": content.get("password") is True}
        return None if kind is Kind.COMM else _clean_report(content)

    def _clean_stream(self, content: Content) -> Content | None:
        name = "stderr" if content.get("name") == "stderr" else "stdout"
        text = content.get("text")
        shown = self._streams[name].feed(text) if isinstance(text, str) else ""
        return {"name": name, "text": shown} if shown else None


def filter_content(kind: Kind, content: Content, metadata: Content, trust: Trust) -> Content | None:
    """One output by itself (not one of a stream's pieces), as `OutputFilter` would show it."""
    filtered = OutputFilter(trust).filter_message(kind, content, metadata)
    return filtered and filtered[0]


def _clean_display(content: Content) -> Content:
    cleaned: Content = {
        "data": clean_bundle(content.get("data")),
        "metadata": clean_metadata(content.get("metadata")),
        "transient": _clean_transient(content.get("transient")),
    }
    if "execution_count" in content:
        count = content["execution_count"]
        cleaned["execution_count"] = count if type(count) is int else None
    return cleaned


def _clean_transient(transient: object) -> Content:
    name = transient.get("display_id") if isinstance(transient, dict) else None
    return {"display_id": sanitise(name)} if isinstance(name, str) else {}


def _clean_error(content: Content) -> Content:
    lines = content.get("traceback")
    return {
        "ename": _clean_text(content.get("ename")),
        "evalue": _clean_text(content.get("evalue")),
        "traceback": [_clean_text(line) for line in lines] if isinstance(lines, list) else [],
    }


def _clean_report(content: Content) -> Content:
    """What is no output: states, progress, metrics. The state that ends a job holds its `execute_reply`."""
    cleaned = _clean_reply(content)
    if isinstance(content.get("reply"), dict):
        cleaned["reply"] = _clean_reply(content["reply"])
    return cleaned


def _clean_reply(content: Content) -> Content:
    """A reply's payloads can write into the notebook, its user expressions are displays."""
    cleaned: Content = clean_json({key: content[key] for key in content if key not in {"payload", "user_expressions"}})
    if isinstance(content.get("payload"), list):
        cleaned["payload"] = [_clean_page(item) for item in content["payload"] if _is_page(item)]
    return cleaned


def _is_page(item: object) -> bool:
    """Whether a payload is what `name?` shows; the others insert cells, open editors or end the kernel."""
    return isinstance(item, dict) and item.get("source") == "page"


def _clean_page(item: Content) -> Content:
    start = item.get("start")
    return {"source": "page", "data": clean_bundle(item.get("data")), "start": start if type(start) is int else 0}


def _clean_text(value: object) -> str:
    return sanitise(value) if isinstance(value, str) else ""
