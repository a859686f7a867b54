"""Capture: what a cell needs from the notebook's own kernel, found in its syntax and in the live namespace.

Called by `magic`. Promise: nothing here runs the user's code, and nothing is pickled.
"""
