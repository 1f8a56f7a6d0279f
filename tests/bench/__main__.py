"""`make bench`: prints the tables that RESULTS.md keeps. Figures, not tests."""

import asyncio

from tests.bench import on_air


def main() -> None:
    asyncio.run(on_air.main())


if __name__ == "__main__":
    main()
