"""`make bench`: prints the tables that RESULTS.md keeps. Figures, not tests.

`python -m tests.bench impairments` prints the one of bad networks, `python -m tests.bench soak`
what hours do to memory, threads and descriptors; both as root. `spectators` and `latency` are the
words `make bench-spectators` and `make bench-latency`.
"""

import asyncio
import sys

from tests.bench import impairments, latency, on_air, soak, spectators


def main() -> None:
    match sys.argv[1:]:
        case ["impairments", *arguments]:
            asyncio.run(impairments.main(arguments))
        case ["soak", *arguments]:
            asyncio.run(soak.main(arguments))
        case ["spectators", *arguments]:
            asyncio.run(spectators.main(arguments))
        case ["latency", *arguments]:
            asyncio.run(latency.main(arguments))
        case []:
            asyncio.run(on_air.main())
        case _:
            sys.exit("usage: python -m tests.bench [impairments | soak | spectators | latency] ...")


if __name__ == "__main__":
    main()
