import gc
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from page_examples import Recorder
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1.element_tree import Selectbox

from gclip.serving import Service

SERVING = importlib.import_module("gclip.serving.service")


@pytest.fixture(scope="session", autouse=True)
def quick_pages() -> Iterator[None]:
    """Spare each run of a page what a server does once or never: AppTest looks through all installed packages for
    components, and collects garbage among all modules that the other tests have loaded."""
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda: [])
        yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def real_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker and a store of its own, in place of the learner's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GCLIP_HOME", str(tmp_path_factory.mktemp("home")))
        service = Service(1)
        yield service
        service.close()


@pytest.fixture
def trainer(real_service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The real service, which the pages of a test use; afterwards nobody wants anything of it."""
    monkeypatch.setattr(SERVING, "_service", lambda: real_service)
    yield real_service
    for owner in list(real_service._watches):
        real_service.submit([], owner)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A service that trains nothing, for tests of many pages."""
    recorder = Recorder()
    monkeypatch.setattr(SERVING, "_service", lambda: recorder)
    return recorder


@pytest.fixture(autouse=True)
def typed_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a select box send back what was typed into it, as a browser does and AppTest cannot."""
    known: Any = Selectbox._widget_state

    def state(box: Selectbox) -> WidgetState:
        if box.value is None or box.format_func(box.value) in box.options:
            return known.fget(box)
        return WidgetState(id=box.id, string_value=str(box.value))

    monkeypatch.setattr(Selectbox, "_widget_state", property(state))
