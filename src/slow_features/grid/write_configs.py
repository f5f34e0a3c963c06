"""Write reproduce_configs/: the published best configurations in this project's settings.

Run after a change of the schema: python -m slow_features.grid.write_configs
"""

from __future__ import annotations

from typing import Any

import yaml

from slow_features.config.authors_layout import authors_settings, published_rows
from slow_features.config.load import resolve
from slow_features.grid.config_files import CONFIGS_FOLDER

NOTES = {
    "sweep_changing_uniform.(0).supervised.best.yaml": (
        "# Published as it is: this row alone has three dots (dataset_type Multiple, 3 channels).\n"
    ),
}


def config_text(row: dict[str, str]) -> str:
    """Return the YAML file of one published row: only what differs from the defaults."""
    config = resolve(authors_settings(row)).config
    settings = config.model_dump(exclude_defaults=True)
    settings = {"model_type": config.model_type} | settings
    title = f"# {config.model_type}, {row['noise'].replace('_', ' ')} noise, alpha {row['alpha']}"
    head = f"{title}: the best of 100 published trials.\n{NOTES.get(row['file'], '')}"
    return head + yaml.safe_dump(without_empty(settings), sort_keys=False)


def without_empty(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without sections that say nothing."""
    return {key: value for key, value in settings.items() if value != {}}


def main() -> None:
    """Write one file per published row."""
    for row in published_rows():
        (CONFIGS_FOLDER / row["file"]).write_text(config_text(row))


if __name__ == "__main__":
    main()
