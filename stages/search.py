"""Search hyper-parameters: run a study of searches.yaml; without a name, write the page of all."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Run what is left of the study that the argument names, if any; write the page of all."""
    from slow_features.config import cli
    from slow_features.grid.machines import add_options, machines_of

    parser = cli.Parser(description=__doc__)
    parser.add_argument("study", nargs="?", help="its name in searches.yaml")
    add_options(parser)
    arguments = parser.parse_args()
    machines = machines_of(parser, arguments)

    from slow_features.report.search import PAGE, write_search_report

    if arguments.study is not None:
        from slow_features.search.run import search_named

        for record in search_named(arguments.study, machines):
            print(record.summary())
    write_search_report()
    print("report:", PAGE / "index.html")


if __name__ == "__main__":
    exit_with_message(main)
