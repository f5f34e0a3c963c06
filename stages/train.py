"""Train one world model on the moving dot, then probe it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Read the settings, train, and probe unless --no-probe."""
    from slow_features.config import cli

    parser = cli.parser(__doc__)
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


if __name__ == "__main__":
    exit_with_message(main)
