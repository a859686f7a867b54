"""What travels between a client and an agent: records (events as bytes) and frames (messages on a channel).

Shared by both ends; standard library only, Python 3.9 syntax. Promise: decoding never executes anything, never
allocates more than the declared limits, and raises `WireError` for whatever it does not understand.
"""
