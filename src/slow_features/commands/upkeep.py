"""The commands around results: searches, MLflow, the page of the whole, code that has changed."""

from __future__ import annotations


def search() -> None:
    """Search hyper-parameters: run a study of searches.yaml; without a name, write the page."""
    from slow_features.config import cli
    from slow_features.grid.machines import add_options, machines_of

    parser = cli.Parser(description=search.__doc__)
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


def track() -> None:
    """Fill MLflow with a run for every result in git; what is there is left alone."""
    from slow_features.config import cli

    cli.Parser(description=track.__doc__).parse_args()

    from slow_features.results.track import track_everything
    from slow_features.search.track import track_searches

    print(f"{track_everything() + track_searches()} runs written to MLflow")


def summary() -> None:
    """Write reports/index.html, the paper on one page: each number of the longest trained scale."""
    from slow_features.config import cli

    cli.Parser(description=summary.__doc__).parse_args()

    from slow_features.report.summary import PAGE, write_summary

    write_summary()
    print("report:", PAGE)


def takeover() -> None:
    """Take over the results in git after a change of code that computes the same numbers."""
    from slow_features.config import cli

    cli.Parser(description=takeover.__doc__).parse_args()

    from slow_features.results.takeover import take_over

    print(take_over())


def code() -> None:
    """Write fingerprints of the code, and each scale by itself: what DVC's other stages need."""
    from slow_features.config import cli

    cli.Parser(description=code.__doc__).parse_args()

    from slow_features import paths
    from slow_features.grid.definition import write_definitions
    from slow_features.identity import write_fingerprints

    write_fingerprints()
    write_definitions(paths.CODE / "grid")
