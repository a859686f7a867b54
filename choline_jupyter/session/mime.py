"""The MIME bundle of an output from a machine that is not the user's own, rebuilt from types that are data.

Called by `trust`. Promise: every value that leaves here was made or checked here: text without escapes, images that
are base64 of what they claim to be, HTML and SVG only in the forms of `sandbox`; there always is a `text/plain`,
which names what was left out and the option that lets it through.
"""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING, Any

from choline_jupyter.session.ansi import sanitise
from choline_jupyter.session.sandbox import embed_svg, frame_html

if TYPE_CHECKING:
    from collections.abc import Callable

_HTML, _SVG, _PLAIN = "text/html", "image/svg+xml", "text/plain"
_DEPTH = 64  # of nested JSON
_SIGNATURES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}

# What starts a tag, comment or autolink in Markdown and HTML alike; with a space between it is plain text.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
# What makes a link, an image or a link's definition: their addresses may be scripts or call home.
_LINK = re.compile(r"\](?=[(\[:])")
# TeX that sets an address, attributes or style in the page, loads extensions, or makes other names for these.
_TEX = re.compile(r"\\(?=(?:href|url|class|cssId|style|data|require|mmlToken|csname|includegraphics)(?![A-Za-z]))")


def clean_bundle(data: object) -> dict[str, Any]:
    """The part of a display's `data` that may be shown, `text/plain` always among it."""
    bundle = data if isinstance(data, dict) else {}
    cleaned = {kind: value for kind in bundle if (value := _clean_value(kind, bundle[kind])) is not None}
    note = _write_note([kind for kind in bundle if kind not in cleaned])
    source = {kind: cleaned.pop(kind) for kind in (_HTML, _SVG) if kind in cleaned}
    text = cleaned.get(_PLAIN) or ", ".join(f"({kind})" for kind in (*cleaned, *source) if kind != _PLAIN)
    cleaned[_PLAIN] = "\n".join(filter(None, (text, note)))
    if _HTML in source:
        cleaned[_HTML] = frame_html(source[_HTML], cleaned[_PLAIN], note)
    elif _SVG in source and not _SIGNATURES.keys() & cleaned.keys():
        cleaned[_HTML] = embed_svg(source[_SVG], cleaned[_PLAIN])
    return cleaned


def clean_metadata(metadata: object) -> dict[str, Any]:
    """Of a display's `metadata` the size and background of images and whether JSON is unfolded."""
    given = metadata if isinstance(metadata, dict) else {}
    kinds = [kind for kind in (*_SIGNATURES, "application/json") if isinstance(given.get(kind), dict)]
    return {kind: hints for kind in kinds if (hints := _keep_hints(given[kind]))}


def clean_json(value: object, depth: int = 0) -> Any:
    """JSON with its strings sanitised, its depth bounded, and no number that JSON itself lacks."""
    if isinstance(value, str):
        return sanitise(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (dict, list)) and depth >= _DEPTH:
        return "..."
    if isinstance(value, dict):
        return {sanitise(str(key)): clean_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_json(item, depth + 1) for item in value]
    return value


def _clean_value(kind: str, value: object) -> Any:
    """The value of one MIME type; None where the type is not on the list or the value not of the type."""
    if kind == "application/json":
        return clean_json(value)
    if not isinstance(value, str):
        return None
    if kind in _SIGNATURES:
        return _clean_image(value, _SIGNATURES[kind])
    clean = _TEXTS.get(kind)
    return clean(value) if clean else None


def _clean_image(value: str, signature: re.Pattern[bytes]) -> str | None:
    try:
        image = base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return None
    return base64.b64encode(image).decode() if signature.match(image) else None


def _clean_latex(source: str) -> str:
    return _TEX.sub(r"\\ ", _TAG.sub("< ", sanitise(source)))


def _clean_markdown(source: str) -> str:
    """Without tags, links and images. In code this costs a blank here and there; parsing it would risk more."""
    return _LINK.sub("] ", _clean_latex(source))


_TEXTS: dict[str, Callable[[str], str]] = {
    _PLAIN: sanitise,
    "text/markdown": _clean_markdown,
    "text/latex": _clean_latex,
    _HTML: sanitise,
    _SVG: sanitise,
}


def _keep_hints(hints: dict[str, Any]) -> dict[str, Any]:
    sizes = {name: hints[name] for name in ("width", "height") if _is_size(hints.get(name))}
    folds = {"expanded": True} if hints.get("expanded") is True else {}
    background = hints.get("needs_background")
    return {**sizes, **folds, **({"needs_background": background} if background in ("light", "dark") else {})}


def _is_size(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 100_000


def _write_note(left_out: list[str]) -> str:
    if not left_out:
        return ""
    names = ["".join(filter(str.isprintable, str(kind)))[:60] for kind in left_out[:5]]
    more = [f"{len(left_out) - 5} more"] if len(left_out) > 5 else []
    return f"[Left out, from a rented machine: {', '.join(names + more)}. With --trust it is shown.]"
