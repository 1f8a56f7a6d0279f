"""Files stay readable in one sitting."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT = 400


def test_no_source_file_is_longer_than_the_budget():
    sources = [*(ROOT / "bridge").rglob("*.py"), *(ROOT / "web" / "static" / "js").rglob("*.js")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources}
    assert {path: lines for path, lines in lengths.items() if lines > LIMIT} == {}
