"""pandas' frames, series and indexes: each column as the array that it is, so that no pyarrow is needed on either side.

Used by `wire.value.encoder` and `decoder`. What the columns themselves are is in `columns`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value import columns
from choline_jupyter.wire.value.refusal import Unsendable, refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_TRIED = 2  # rows that are sent to ourselves first: they show what becomes of the types
_INDEXES = ("Index", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "IntervalIndex", "CategoricalIndex")


def encode(encoder: Encoder, value: Any) -> Any:
    """Anything of pandas'; raises Unsendable."""
    pd = sys.modules["pandas"]
    if type(value) is pd.DataFrame:
        _try_out(value)
        return _encode_frame(encoder, value)
    if type(value) is pd.Series:
        _try_out(value)
        return _encode_series(encoder, value)
    if isinstance(value, pd.Index):
        return _encode_index(encoder, pd, value)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return {"t": "pd.array", "v": columns.encode_column(encoder, value)}
    return columns.encode_scalar(encoder, value)


def _encode_frame(encoder: Encoder, frame: Any) -> Any:
    parts = [columns.encode_column(encoder, frame.iloc[:, place].array) for place in range(frame.shape[1])]
    head = {"columns": encoder.encode(frame.columns), "index": encoder.encode(frame.index)}
    return {"t": "frame", **head, "v": parts, "attrs": encoder.encode(dict(frame.attrs))}


def _encode_series(encoder: Encoder, series: Any) -> Any:
    head = {"name": encoder.encode(series.name), "index": encoder.encode(series.index)}
    part = columns.encode_column(encoder, series.array)
    return {"t": "series", **head, "v": part, "attrs": encoder.encode(dict(series.attrs))}


def _encode_index(encoder: Encoder, pd: Any, index: Any) -> Any:
    kind = type(index).__name__
    names = encoder.encode_all(index.names)
    if type(index) is pd.RangeIndex:
        return {"t": "pd.RangeIndex", "names": names, "v": [index.start, index.stop, index.step]}
    if type(index) is pd.MultiIndex:
        parts = [
            [encoder.encode(level), encoder.encode(codes)] for level, codes in zip(index.levels, map(_own, index.codes))
        ]
        return {"t": "pd.MultiIndex", "names": names, "v": parts}
    if kind not in _INDEXES or type(index) is not getattr(pd, kind):
        raise refuse(index)
    frequency = index.freqstr if kind in ("DatetimeIndex", "TimedeltaIndex") else None
    return {"t": "pd.Index", "names": names, "v": columns.encode_column(encoder, index.array), "freq": frequency}


def _own(codes: Any) -> Any:
    """Pandas hands out read-only views of its codes."""
    return sys.modules["numpy"].array(codes)


def _try_out(value: Any) -> None:
    """Raise Unsendable if the first rows do not come back as what they are."""
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

    head, buffers = value.iloc[:_TRIED], list[Any]()
    encoder = Encoder(buffers, None)
    try:
        told = _encode_frame(encoder, head) if head.ndim == 2 else _encode_series(encoder, head)
        back = Decoder([bytes(part) for part in buffers], None).decode(told)
    except Unsendable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever pandas says of a type that we do not know
        raise refuse(value, "which cannot be told in parts (%s)" % error) from None
    if _describe(back) != _describe(head):
        raise refuse(value, "some of whose types would change")


def _describe(value: Any) -> list[Any]:
    """Everything about a frame or series but its cells."""
    axes = [value.index, *([value.columns] if value.ndim == 2 else [])]
    types = list(value.dtypes) if value.ndim == 2 else [value.dtype]
    return [*types, *((type(axis), axis.dtype, list(axis.names), getattr(axis, "freq", None)) for axis in axes)]


def _decode_frame(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    index, names = decoder.decode(told["index"]), decoder.decode(told["columns"])
    parts = {place: _make_series(decoder, part, index) for place, part in enumerate(told["v"])}
    if not isinstance(names, pd.Index) or len(names) != len(parts):
        raise ValueError("a frame whose columns and their names are not as many")
    frame = pd.DataFrame(parts, index=index, columns=range(len(parts)))
    frame.columns = names
    frame.attrs.update(decoder.decode(told["attrs"]))
    return frame


def _decode_series(decoder: Decoder, told: Any) -> Any:
    series = _make_series(decoder, told["v"], decoder.decode(told["index"]))
    series.name = decoder.decode(told["name"])
    series.attrs.update(decoder.decode(told["attrs"]))
    return series


def _make_series(decoder: Decoder, told: Any, index: Any) -> Any:
    """One column; its dtype is given, lest pandas find out another."""
    import pandas as pd

    values = columns.decode_column(decoder, told)
    if not isinstance(index, pd.Index) or len(index) != len(values):
        raise ValueError("a column that is not as long as its index")
    return pd.Series(values, index=index, dtype=values.dtype, copy=False)


def _decode_range(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    start, stop, step = (int(part) for part in told["v"])
    return pd.RangeIndex(start, stop, step, name=decoder.decode_all(told["names"])[0])


def _decode_multi(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    levels, codes = zip(*((decoder.decode(level), decoder.decode(code)) for level, code in told["v"]))
    return pd.MultiIndex(levels=levels, codes=codes, names=decoder.decode_all(told["names"]), verify_integrity=True)


def _decode_index(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    values = columns.decode_column(decoder, told["v"])
    index = pd.Index(values, dtype=values.dtype, name=decoder.decode_all(told["names"])[0], copy=False)
    if told["freq"] is not None:
        index.freq = str(told["freq"])
    return index


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "frame": _decode_frame,
    "series": _decode_series,
    "pd.RangeIndex": _decode_range,
    "pd.MultiIndex": _decode_multi,
    "pd.Index": _decode_index,
    "pd.array": lambda decoder, told: columns.decode_column(decoder, told["v"]),
    **columns.DECODERS,
}
