"""One torch thread for these tests, as in a training worker: two on so small a product only wait for each other."""

from collections.abc import Iterator

import pytest

from gclip.training import one_thread


@pytest.fixture(autouse=True, scope="module")
def training_threads() -> Iterator[None]:
    with one_thread():
        yield
