"""The arrays that pandas' columns are made of, and pandas' scalars.

Used by `wire.value.frames`. Each kind of array by its public parts: numbers and what says which of them are missing,
categories and codes, instants and their zone.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from choline_jupyter.wire.value import arrow
from choline_jupyter.wire.value.refusal import refuse

if TYPE_CHECKING:
    from choline_jupyter.wire.value.decoder import Decoder
    from choline_jupyter.wire.value.encoder import Encoder

_MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")


def encode_column(encoder: Encoder, array: Any) -> Any:
    """What one column holds; raises Unsendable."""
    np, pd = sys.modules["numpy"], sys.modules["pandas"]
    dtype, kind = array.dtype, type(array).__name__
    if isinstance(dtype, np.dtype) or type(array) is pd.arrays.NumpyExtensionArray:
        return encoder.encode(np.asarray(array))
    if isinstance(dtype, pd.CategoricalDtype):
        parts = [encoder.encode(np.array(array.codes)), encoder.encode(array.categories)]
        return {"t": "pd.Categorical", "v": parts, "ordered": bool(array.ordered)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        utc = np.asarray(array.tz_convert("UTC").tz_localize(None))
        return {"t": "pd.instants", "v": encoder.encode(utc), "tz": encoder.encode(dtype.tz)}
    if isinstance(dtype, pd.PeriodDtype):
        return {"t": "pd.periods", "v": encoder.encode(np.array(array.asi8)), "freq": array.freqstr}
    if isinstance(dtype, pd.IntervalDtype):
        return {"t": "pd.intervals", "v": encoder.encode_all((array.left, array.right)), "closed": array.closed}
    if isinstance(dtype, pd.StringDtype):
        return _encode_strings(array)
    if kind in _MASKED:
        numbers = array.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
        return {"t": "pd." + kind, "v": encoder.encode_all((numbers, np.asarray(array.isna())))}
    if isinstance(dtype, pd.ArrowDtype):
        pa = sys.modules["pyarrow"]
        return {"t": "pd.arrow", "b": encoder.add(arrow.write_table(pa, pa.table({"": array.__arrow_array__()})))}
    raise refuse(array)


def _encode_strings(array: Any) -> Any:
    dtype = array.dtype
    texts = [text if type(text) is str else None for text in array]
    return {"t": "pd.strings", "v": texts, "storage": dtype.storage, "na": dtype.na_value is sys.modules["pandas"].NA}


def encode_scalar(encoder: Encoder, value: Any) -> Any:
    """A Timestamp, Timedelta, Period, Interval, NaT or NA; raises Unsendable for anything else."""
    pd = sys.modules["pandas"]
    if value is pd.NaT or value is pd.NA:
        return {"t": "pd.missing", "v": "NaT" if value is pd.NaT else "NA"}
    if type(value) in (pd.Timestamp, pd.Timedelta):
        told = {"t": "pd." + type(value).__name__, "v": encoder.encode(value.asm8)}
        zone = getattr(value, "tz", None)
        return told if zone is None else {**told, "tz": encoder.encode(zone)}
    if type(value) is pd.Period:
        return {"t": "pd.Period", "v": value.ordinal, "freq": value.freqstr}
    if type(value) is pd.Interval:
        return {"t": "pd.Interval", "v": encoder.encode_all((value.left, value.right)), "closed": value.closed}
    raise refuse(value)


def decode_column(decoder: Decoder, told: Any) -> Any:
    """The array that was told of; raises ValueError for a value that is none."""
    found = decoder.decode(told)
    if not hasattr(found, "dtype") or len(getattr(found, "shape", ())) != 1:
        raise ValueError("a column that is no array")
    return found


def _decode_categorical(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    codes, categories = decoder.decode_all(told["v"])
    return pd.Categorical.from_codes(codes, categories=categories, ordered=bool(told["ordered"]))


def _decode_instants(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return (
        pd.DatetimeIndex(decode_column(decoder, told["v"]))
        .tz_localize("UTC")
        .tz_convert(decoder.decode(told["tz"]))
        .array
    )


def _decode_periods(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return pd.PeriodIndex.from_ordinals(decode_column(decoder, told["v"]), freq=str(told["freq"])).array


def _decode_intervals(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    left, right = decoder.decode_all(told["v"])
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=told["closed"])


def _decode_strings(decoder: Decoder, told: Any) -> Any:
    """Where the environment has no pyarrow, what it stored is stored in Python."""
    import pandas as pd

    missing = pd.NA if told["na"] else float("nan")
    storage = "pyarrow" if told["storage"] == "pyarrow" else "python"
    try:
        dtype = pd.StringDtype(storage, na_value=missing)
    except ImportError:
        dtype = pd.StringDtype("python", na_value=missing)
    return pd.array(told["v"], dtype=dtype)


def _decode_masked(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    numbers, mask = decoder.decode_all(told["v"])
    return getattr(pd.arrays, {"pd." + kind: kind for kind in _MASKED}[told["t"]])(numbers, mask)


def _decode_arrow(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return pd.arrays.ArrowExtensionArray(arrow.read_table(decoder.take(told["b"])).column(0))


def _decode_missing(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[told["v"]]


def _decode_timestamp(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    found = pd.Timestamp(decoder.decode(told["v"]))
    return found.tz_localize("UTC").tz_convert(decoder.decode(told["tz"])) if "tz" in told else found


def _decode_timedelta(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return pd.Timedelta(decoder.decode(told["v"]))


def _decode_period(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    return pd.Period(ordinal=int(told["v"]), freq=str(told["freq"]))


def _decode_interval(decoder: Decoder, told: Any) -> Any:
    import pandas as pd

    left, right = decoder.decode_all(told["v"])
    return pd.Interval(left, right, closed=told["closed"])


DECODERS: dict[str, Callable[[Decoder, dict[str, Any]], Any]] = {
    "pd.Categorical": _decode_categorical,
    "pd.instants": _decode_instants,
    "pd.periods": _decode_periods,
    "pd.intervals": _decode_intervals,
    "pd.strings": _decode_strings,
    **{"pd." + kind: _decode_masked for kind in _MASKED},
    "pd.arrow": _decode_arrow,
    "pd.missing": _decode_missing,
    "pd.Timestamp": _decode_timestamp,
    "pd.Timedelta": _decode_timedelta,
    "pd.Period": _decode_period,
    "pd.Interval": _decode_interval,
}
