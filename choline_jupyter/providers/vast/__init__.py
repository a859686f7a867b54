"""The provider `vast`: machines of the vast.ai marketplace, on demand or by bid, reached by ssh.

Found through the registry. Promise: only `client` touches the official `vastai` package, which is imported when it is first
used and lives in an extra of its own.
"""
