"""`%choline checkpoints [JOB]`: what there is at home, and what it was made of.

Called by `session.verbs`; looks at the disk only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from choline_jupyter.session.checkpoint_record import Kept, list_kept
from choline_jupyter.session.rent.meter import render_money


def render_checkpoints(root: Path, job: str = "", coming: int = 0) -> str:
    """One line each, oldest first; of the newest all that is known. `coming`: how many more are on their way."""
    kept = list(list_kept(root, job))
    way = [f"{coming} more on the way here."] if coming else []
    if not kept and way:
        return way[0]
    if not kept:
        what = f"of {job} " if job else ""
        return (
            f"No checkpoint {what}is here. In a cell: `from choline_jupyter import checkpoint`, then"
            " `checkpoint(step, model=model, optimizer=optimizer)`; files that torch.save writes are noticed, too."
        )
    lines = [_describe(one, root) for one in kept]
    return "\n".join([*lines, *way, "", *_explain(kept[-1])])


def _describe(kept: Kept, root: Path) -> str:
    record = kept.record
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept.at))
    words = [f"{kept.path.relative_to(root)}", f"{record['size'] / 1e6:,.1f} MB", at]
    words += [f"{name} {record[name]}" for name in ("step", "epoch", "loss") if record.get(name) is not None]
    words += [f"copy of {record['source']}"] if record.get("source") else []
    words += ["preview"] if record.get("preview") else []
    return "  ".join(words)


def _explain(kept: Kept) -> list[str]:
    record = kept.record
    cost = record.get("cost")
    facts: dict[str, Any] = {
        "job": record.get("job"),
        "where": record.get("where"),
        "GPU": record.get("gpu") or record.get("offer") or "none that is known of",
        "code": str(record.get("code_digest", ""))[:12],
        "git commit": record.get("git") or "none",
        "parameters": ", ".join(f"{name}={value}" for name, value in (record.get("parameters") or {}).items())
        or "none",
        "environment": f"Python {record.get('python') or '?'}, {len(record.get('packages') or ())} packages",
        "files": f"{record.get('file_count', 0)} ({str(record.get('manifest', ''))[:12] or 'the folder itself'})",
        "cost so far": "not known" if cost is None else render_money(cost),
    }
    return [f"The newest, {kept.path.name}:", *(f"  {name}: {value}" for name, value in facts.items())]
