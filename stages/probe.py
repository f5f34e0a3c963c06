"""Probe a trained model: does its state know where the dot is?"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, probe the weights in output_path."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
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


if __name__ == "__main__":
    exit_with_message(main)
