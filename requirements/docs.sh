#!/bin/sh
# Make requirements/docs.txt anew, every package with its hashes, after a change of requirements/docs.in.
set -eu
cd "$(dirname "$0")/.."
${PYTHON:-.venv/bin/python} -m uv pip compile requirements/docs.in --universal --python-version 3.11 \
    --constraints requirements/lock.txt --generate-hashes --no-annotate --no-header --quiet --output-file requirements/docs.txt
