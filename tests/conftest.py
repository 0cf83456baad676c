"""What several test files share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine is not a failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def evaldata() -> Path:
    """Folder of evaluation data that is not part of the project.

    ``KVE_EVALDATA`` or ``../shared/evaldata`` beside the checkout; tests that need it are skipped
    where it is missing, except on CI.
    """
    beside = Path(__file__).parents[2] / "shared" / "evaldata"
    folder = Path(os.environ.get("KVE_EVALDATA") or beside)
    if not (folder / "sts").is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"no evaluation data in {folder}; set KVE_EVALDATA")
        pytest.skip(f"no evaluation data in {folder}")
    return folder
