"""Training in text: epochs, steps and metrics that programs print, in the styles of the frameworks.

Used by `agent.progress_feed` while a job runs, and by `session.progress_record` for what an older agent has not read. Cautious:
a line counts when it has a metric that trainings have and a place (an epoch or a step) in the form of one of the styles; a bar
alone is progress of something, never an epoch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)"
_WORDS = r"(?:train(?:ing)?|val(?:id(?:ation)?)?|eval|test|lm|total|avg|average|mean|running|smoothed)"
_KNOWN = (
    r"loss|nll|ppl|perplexity|acc(?:uracy)?|acc[@_]?[15]|top-?[15]|lr|learning[_ ]rate|rmse|mae|auc|aucpr|logloss|mlogloss|merror"
    r"|error|f1|bleu|wer|cer|iou|miou|map|reward|return|l1|l2|grad_norm|psnr|fid"
)
_METRIC = re.compile(
    rf"(?<![\w/@.-])((?:{_WORDS} |[A-Za-z][\w/.@]*?[_/.@-]|valid_\d+'s |training's )?(?:{_KNOWN}))"
    rf"(?P<quote>['\"])?\s*(?P<sign>[:=]+|is|\s)\s*['\"]?({_NUMBER})(?![\w.]*[\w])(?P<percent>\s?%)?",
    re.IGNORECASE,
)
_FOREIGN = re.compile(r"[A-Za-z]{2,}\s\Z")  # in "packet loss 0" the loss is of packets
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_EPOCH = re.compile(
    r"(?<![\w.-])epoch['\"]?\s*(?:\((?:train|val)\)\s*)?[\s:#=\[('\"]*(\d{1,6}(?:\.\d+)?)\s*(?:(?:/|of)\s*(\d{1,6}))?"
    r"(?![\d.]*\d{4})",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"(?<![\w.-])(?:global[_ ]?steps?|steps?|iters?|iterations?|batch(?:es)?|updates?|round)['\"]?[\s:#=\[(]*(\d{1,12})"
    r"\s*(?:/\s*(\d{1,12}))?",
    re.IGNORECASE,
)
_TQDM = re.compile(r"\|\s*(\d+)/(\d+)\s*\[")
_BAR = re.compile(r"(?<![\d.])(\d+)/(\d+)\s*(?:[━╸╺─]+|\[[=>.\-]+\])")
_INSIDE = re.compile(r"\[\s*(\d+)/(\d+)\s*(?:\(\s*\d+(?:\.\d+)?%\s*\))?\s*\]")
_ROUND = re.compile(r"\[(\d+)\]\s")
_PAIR = re.compile(r"\[(\d+),\s*(\d+)\]\s")
_HEAD = re.compile(r"\s*epoch\s+(\d+)\s*/\s*(\d+)\s*\Z", re.IGNORECASE)
_LONGEST = 4000  # characters of a line that are looked at


@dataclass(frozen=True)
class Point:
    """What one line tells. `total` and `epochs` are how many there will be."""

    step: int | None = None
    total: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)


class OutputReader:
    """Reads one stream of a job, in pieces as they come; a line that a carriage return ends is one, too."""

    def __init__(self) -> None:
        self._rest = ""
        self._head: tuple[int, int] | None = None
        self._columns: list[str] = []

    def feed(self, text: str) -> Iterator[Point]:
        """What the lines tell that end in this piece."""
        *lines, self._rest = re.split(r"\r\n|\n|\r", self._rest + text)
        self._rest = self._rest[-_LONGEST:]
        for line in lines:
            yield from self._read(line)

    def close(self) -> Iterator[Point]:
        """What the last line tells, which has no end."""
        line, self._rest = self._rest, ""
        yield from self._read(line)

    def _read(self, line: str) -> Iterator[Point]:
        line = _ANSI.sub("", line[:_LONGEST]).strip()
        if not line:
            return
        head = _HEAD.match(line)
        if head:
            self._head = int(head[1]), int(head[2])
            return
        point = self._read_row(line) or self._read_line(line)
        if point:
            yield point

    def _read_line(self, line: str) -> Point | None:
        metrics = _read_metrics(line)
        if not metrics or not any(_is_telling(name) for name in metrics):
            return None
        epoch, epochs = _read_epoch(line)
        step, total = _read_step(line)
        pair, number = _PAIR.search(line), _ROUND.match(line)
        if epoch is None and pair:
            epoch, step = float(pair[1]), int(pair[2])
        if epoch is None and step is None and number:
            step = int(number[1])
        if epoch is None and self._head and step is not None:
            epoch, epochs = float(self._head[0]), self._head[1]
        if epoch is None and step is None:
            return None
        return Point(step, total, epoch, epochs, metrics)

    def _read_row(self, line: str) -> Point | None:
        """A row of a table whose head names epochs and losses: fastai's, Ultralytics'."""
        words = line.split()
        if (
            words[0].lower() == "epoch"
            and sum("loss" in word.lower() for word in words)
            and not any(map(_has_digit, words))
        ):
            self._columns = [word.lower() for word in words]
            return None
        if len(words) < len(self._columns) or not self._columns:
            return None
        place = re.fullmatch(r"(\d+)(?:/(\d+))?", words[0])
        values = {
            name: word for name, word in zip(self._columns, words, strict=False) if "loss" in name or _is_known(name)
        }
        if not place or not all(re.fullmatch(_NUMBER, word) for word in values.values()):
            return None
        metrics = {name: float(word) for name, word in values.items()}
        return Point(None, None, float(place[1]), int(place[2]) if place[2] else None, metrics)


def _read_metrics(line: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for match in _METRIC.finditer(line):
        name = re.sub(r"[\s]+", "_", match[1].lower().replace("'s", "")).strip("_")
        is_plain = match["sign"].strip() == ""
        if is_plain and "loss" not in name and name not in ("lr", "acc", "accuracy", "ppl", "l2", "rmse"):
            continue
        if is_plain and _FOREIGN.search(line[: match.start()]):
            continue
        value = float(match[4])
        found.setdefault(name, value / 100 if match["percent"] and math.isfinite(value) else value)
    return found


def _is_telling(name: str) -> bool:
    """A learning rate or a norm alone is found in other texts, too."""
    last = re.split(r"[_/.@ -]", name)[-1]
    return last not in (
        "lr",
        "rate",
        "norm",
        "error",
        "map",
        "return",
        "l1",
        "acc",
        "accuracy",
        "f1",
    ) or name.startswith(("train", "val", "eval", "test"))


def _read_epoch(line: str) -> tuple[float | None, int | None]:
    match = _EPOCH.search(line)
    if not match:
        return None, None
    return float(match[1]), int(match[2]) if match[2] else None


def _read_step(line: str) -> tuple[int | None, int | None]:
    for pattern in (_TQDM, _BAR, _INSIDE, _STEP):
        match = pattern.search(line)
        if match:
            return int(match[1]), int(match[2]) if match[2] else None
    return None, None


def _is_known(name: str) -> bool:
    return bool(re.fullmatch(_KNOWN, name))


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)
