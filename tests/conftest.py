"""What holds for every test of the project."""

from hypothesis import HealthCheck, settings

pytest_plugins = ("pytester", "tests.skip_policy", "tests.leftovers")

# How long an example takes says what else the machine does, and nothing of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
