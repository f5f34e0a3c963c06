"""Search hyper-parameters: run a study of searches.yaml, leave its trials and the best of them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Run the study that the argument names, or what is left of it."""
    from slow_features.config import cli
    from slow_features.grid.machines import add_options, machines_of

    parser = cli.Parser(description=__doc__)
    parser.add_argument("study", help="its name in searches.yaml")
    add_options(parser)
    arguments = parser.parse_args()
    machines = machines_of(parser, arguments)

    from slow_features.grid.reproduce import only_runner
    from slow_features.search.definition import studies_of
    from slow_features.search.run import search

    studies = studies_of(arguments.study)
    with only_runner():
        for record in search(studies, machines):
            print(record.summary())


if __name__ == "__main__":
    exit_with_message(main)
