"""The order of the suite."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: Playwright keeps an event loop running in the thread that started it."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
