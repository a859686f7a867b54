"""Modal, as far as its own package needs it for sandboxes: real state, real programs, on the package's own service stubs."""
