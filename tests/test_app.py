"""The settings that `streamlit run app.py` begins with."""

import subprocess
import sys
from pathlib import Path

import pytest

ASK = "import sys; from streamlit import config; print(config.get_option(sys.argv[1]))"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server.showEmailPrompt", "False"),  # A first start must not wait for an answer.
        ("browser.gatherUsageStats", "False"),
        ("runner.postScriptGC", "False"),
    ],
)
def test_streamlit_reads_the_settings_and_knows_them(option: str, value: str) -> None:
    folder = Path(__file__).parent.parent
    found = subprocess.run([sys.executable, "-c", ASK, option], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout.split()[-1] == value
