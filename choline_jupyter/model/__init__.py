"""The nouns every other package speaks in: frozen dataclasses without behaviour beyond validation and JSON.

Called by all packages, on both ends of the wire; standard library only, Python 3.9 syntax.
Promise: nothing here does I/O, starts a thread or knows a provider.
"""
