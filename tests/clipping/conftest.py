"""One torch thread for these tests, as in a training worker.

With more threads torch splits the sum over a single large tensor, but not over the same tensor stacked with others, so
norms with p = 1 or 3 may then differ in the last bit: lanes are bitwise independent on one thread only.
"""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
