"""`make bench`: prints the tables that RESULTS.md keeps. Figures, not tests.

`python -m tests.bench impairments` prints the one of bad networks, `python -m tests.bench soak`
what hours do to memory, threads and descriptors; both as root. `spectators` and `latency` are the
words `make bench-spectators` and `make bench-latency`. `composition` compares what one programme
costs with other ways to make it; `three_debates [SECONDS]` puts three on air at once;
`destinations` restarts and freezes one RTMP server while another one and HLS go on; `recording`
kills the broadcast and looks what the recording has.
"""

import asyncio
import sys

from tests.bench import (
    composition,
    destinations,
    impairments,
    latency,
    on_air,
    recording,
    soak,
    spectators,
    three_debates,
)


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
        case ["composition"]:
            asyncio.run(composition.main())
        case ["destinations", *arguments]:
            asyncio.run(destinations.main(arguments))
        case ["recording", *arguments]:
            asyncio.run(recording.main(arguments))
        case ["three_debates", *arguments]:
            asyncio.run(three_debates.main(arguments))
        case []:
            asyncio.run(on_air.main())
            asyncio.run(composition.main())
        case _:
            sys.exit(
                "usage: python -m tests.bench [composition | three_debates | impairments | soak"
                " | spectators | latency | destinations"
                " | recording] ..."
            )


if __name__ == "__main__":
    main()
