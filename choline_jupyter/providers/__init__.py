"""Where machines come from: one file per provider behind one interface, found through one registry.

Called by `session`. Promise: every provider passes the contract suite in tests/contracts, and what a provider cannot do
is said by its capabilities instead of failing later.
"""
