"""Ordered byte channels to an agent: one method, `open`, whatever lies between.

Called by `session.connection`. Promise: a channel carries bytes in order until it ends or breaks; what runs on the other
side is a connector of the agent, started by the transport; nothing is left on either side when it is closed.
"""
