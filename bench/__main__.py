"""`python -m bench SUBJECT… [--records N] [--seed S]`: prints Markdown tables; a subject is the module of its name."""

import argparse
import sys
from collections.abc import Callable
from typing import Final

from bench import agents, compare, concurrency, connections, ingest, needle, plan, query, size, small, tail, variety

SUBJECTS: Final[dict[str, Callable[[argparse.Namespace], str]]] = {
    "ingest": ingest.run,
    "small": small.run,
    "query": query.run,
    "compare": compare.run,
    "size": size.run,
    "needle": needle.run,
    "tail": tail.run,
    "plan": plan.run,
    "agents": agents.run,
    "connections": connections.run,
    "concurrency": concurrency.run,
    "variety": variety.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("subject", nargs="+", choices=list(SUBJECTS))
    parser.add_argument("--records", type=int, default=1_000_000, help="size of the corpus (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the corpus (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="how often each query is asked (%(default)s)")
    parser.add_argument("--times", type=int, default=10, help="how often needle takes the corpus (%(default)s)")
    parser.add_argument("--followers", type=int, default=200, help="tails at once (%(default)s)")
    parser.add_argument(
        "--seconds",
        type=int,
        default=20,
        help="how long to tail, to send small batches, or each part of concurrency (%(default)s)",
    )
    parser.add_argument("--segments", type=int, default=100_000, help="size of the planned catalog (%(default)s)")
    parser.add_argument("--protocols", nargs="*", default=[], help="words in the names of agents' protocols (all)")
    options = parser.parse_args()
    for subject in options.subject:
        print(f"\n### {subject}\n\n{SUBJECTS[subject](options)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
