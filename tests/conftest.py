"""What holds for every test of the project."""

pytest_plugins = ("pytester", "tests.skip_policy")
