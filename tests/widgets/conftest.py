from tests.watched import at_rest, somebody_watches  # noqa: F401 - fixtures
