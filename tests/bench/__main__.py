"""`make bench`: prints the tables that RESULTS.md keeps. Figures, not tests.

`python -m tests.bench impairments` prints the one of bad networks; as root.
"""

import asyncio
import sys

from tests.bench import impairments, on_air


def main() -> None:
    match sys.argv[1:]:
        case ["impairments", *arguments]:
            asyncio.run(impairments.main(arguments))
        case []:
            asyncio.run(on_air.main())
        case _:
            sys.exit("usage: python -m tests.bench [impairments ...]")


if __name__ == "__main__":
    main()
