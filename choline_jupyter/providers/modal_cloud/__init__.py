"""The provider `modal`: sandboxes with GPUs of modal.com, through its official package (extra `[modal]`).

Found through the registry. Promise: the package is imported when it is used and not before; `sdk.py` and what it gives are
all that knows it.
"""
