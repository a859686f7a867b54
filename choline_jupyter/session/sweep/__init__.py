"""Sweeps: one cell run many times with other parameters, spread over sessions.

Called by `magic.sweep`. Promise: each run is a job like any other, detached and journalled; what is lost with a session is
run again on another, what fails by itself is not.
"""
