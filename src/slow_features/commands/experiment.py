"""The commands about one experiment: its data set, its training, its evaluation, its page."""

from __future__ import annotations

from pathlib import Path


def generate() -> None:
    """Make the data set of one experiment, and write what it is, with pictures of its sequences."""
    from slow_features.config import cli

    parser = cli.parser(generate.__doc__)
    parser.add_argument(
        "--folder", default="data/experiment", help="where to write the description"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features.experiment import describe_data
    from slow_features.files import check_replaceable, check_writable

    folder = Path(arguments.folder)
    check_writable(folder)
    check_replaceable(folder, "description of a data set", "manifest.json")
    describe_data([config], folder)


def train() -> None:
    """Train one world model on the moving dot, then probe it."""
    from slow_features.config import cli

    parser = cli.parser(train.__doc__)
    parser.add_argument("--no-probe", action="store_true", help="write the weights and stop")
    parser.add_argument(
        "--record", action="store_true", help="DVC's stage: train, keep the small files in results/"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features import experiment

    experiment.check_before_work(config)
    if arguments.record:
        experiment.record_step(config, "train")
        return
    experiment.train_by_hand(config)
    if not arguments.no_probe:
        experiment.probe_by_hand(config)


def probe() -> None:
    """Probe a trained model: does its state know where the dot is?"""
    from slow_features.config import cli

    parser = cli.parser(probe.__doc__)
    parser.add_argument(
        "--record", action="store_true", help="DVC's stage: keep the small files in results/"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features import experiment

    if arguments.record:
        experiment.record_step(config, "probe")
        return
    experiment.check_before_work(config, experiment.weights_of(config))
    experiment.probe_by_hand(config)


def report() -> None:
    """Write the page about one experiment: figures, tables, settings, origin."""
    from slow_features.config import cli

    parser = cli.parser(report.__doc__)
    parser.add_argument(
        "--outputs", metavar="FOLDER", help="holds train/ and probe/ (default: what git records)"
    )
    parser.add_argument(
        "--folder", metavar="FOLDER", default="reports/experiment", help="where to write the report"
    )
    arguments = parser.parse_args()
    config = cli.configuration(arguments)

    from slow_features import paths
    from slow_features.files import check_replaceable
    from slow_features.report.experiment import write_experiment_report
    from slow_features.results.files import Place

    recorded = Place.recorded(paths.EXPERIMENT)
    place = Place.below(Path(arguments.outputs)) if arguments.outputs else recorded
    check_replaceable(Path(arguments.folder), "report", "index.html")
    write_experiment_report(config, place, Path(arguments.folder))
