"""HTML and SVG from a machine that is not the user's own, in forms that a browser shows but does not obey.

Called by `mime`. Promise: a frame's content has an origin of its own, runs no script, sends no form, opens no window
and loads nothing from anywhere; an SVG is an image, in which browsers run nothing. Both hold their own text, for the
front ends that take the frame or the image away.
"""

from __future__ import annotations

import base64
import html
import re

# The frame's `sandbox` attribute forbids scripts; this forbids the network too, and comes before all that is not ours.
_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_STYLE = (
    "body{margin:4px;background:#fff;color:#111;font:13px sans-serif}"
    "table{border-collapse:collapse}th,td{padding:4px 8px;text-align:right}tbody tr:nth-child(odd){background:#f5f5f5}"
)
_HEAD = (
    '<!doctype html><meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style>'
)
_SCRIPT = re.compile(r"<script", re.IGNORECASE)
_SCRIPT_NOTE = "[Scripts from a rented machine do not run. With --trust they do.]"
_ROW = re.compile(r"<(?:tr|li|p|br|div|pre|h[1-6])\b", re.IGNORECASE)
_PICTURE = re.compile(r"<(?:img|svg|video|audio)\b", re.IGNORECASE)


def frame_html(source: str, text: str, note: str = "") -> str:
    """An `iframe` that shows `source`; `text` is what is left where frames are removed, `note` stands above it."""
    notes = [note, _SCRIPT_NOTE if _SCRIPT.search(source) else ""]
    above = "".join(f"<p><small>{html.escape(line)}</small></p>" for line in notes if line)
    return (
        f'<iframe sandbox="" srcdoc="{html.escape(_HEAD + above + source)}" referrerpolicy="no-referrer"'
        f' title="output of a rented machine" width="100%" height="{_estimate_height(above + source)}"'
        # A browser takes what stands between the tags as text and hides it; a sanitiser that drops the frame shows it.
        f' style="border:0;resize:vertical"><pre>{html.escape(text)}</pre></iframe>'
    )


def embed_svg(source: str, text: str) -> str:
    """An `img` that shows the SVG `source`; `text` is its description."""
    data = base64.b64encode(source.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{html.escape(text)}" style="max-width:100%">'


def _estimate_height(source: str) -> int:
    """Pixels. Without scripts a frame cannot grow with its content: a guess, which the user can drag."""
    rows, pictures = len(_ROW.findall(source)), len(_PICTURE.findall(source))
    return min(600, 40 + 24 * rows + 300 * pictures)
