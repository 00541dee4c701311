"""The order of the suite, and what Hypothesis draws."""

import pytest
from hypothesis import settings

# The same examples at every run, so that a failure tells of a change; --hypothesis-profile=explore draws new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: Playwright keeps an event loop running in the thread that started it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
