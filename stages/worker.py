"""Work for a driver on another machine: run cells of the grid until it ends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # this checkout's own code

from slow_features.errors import exit_with_message


def main() -> None:
    """Check that code and packages are the driver's, and join it."""
    from slow_features.config import cli

    parser = cli.Parser(description=__doc__)
    parser.add_argument("invitation", help="the driver's file .cells/cluster/worker.json")
    parser.add_argument(
        "--jobs", type=cli.positive, help="cells at once (default: one for each core)"
    )
    arguments = parser.parse_args()

    from slow_features.grid.invitation import read_invitation
    from slow_features.provenance import cores

    invitation = read_invitation(Path(arguments.invitation))
    invitation.check()

    from slow_features.grid.cluster import serve

    serve(invitation, arguments.jobs or cores())


if __name__ == "__main__":
    exit_with_message(main)
