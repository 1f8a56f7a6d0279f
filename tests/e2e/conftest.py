"""A fresh bridge for each test, and where to leave screenshots."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.stack import Bridge

ARTEFACTS = Path(__file__).parents[1] / "artefacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture
async def bridge(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Bridge]:
    running = Bridge(tmp_path / "data")
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        ARTEFACTS.mkdir(exist_ok=True)
        (ARTEFACTS / f"{request.node.name}.log").write_text("\n".join(running.log))


@pytest.fixture
def artefacts() -> Path:
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS
