"""Build hook: the wheel's dependencies are the lines of runtime.in, written once."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class RuntimeDependencies(MetadataHookInterface):
    """Fills `project.dependencies` from requirements/runtime.in."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Read the requirement lines, without comments."""
        lines = Path(self.root, "requirements/runtime.in").read_text().splitlines()
        requirements = (line.split("#")[0].strip() for line in lines)
        metadata["dependencies"] = [line for line in requirements if line]
