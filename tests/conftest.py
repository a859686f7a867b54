"""What holds for every test of the project."""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ("pytester", "tests.skip_policy", "tests.leftovers")

# How long an example takes says what else the machine does, and nothing of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A run that a shell has started in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
