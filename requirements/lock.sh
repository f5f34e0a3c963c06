#!/bin/sh
# Make requirements/lock.txt anew: every package with its hashes, torch and its CUDA parts aside
# (requirements/torch.txt). Run after a change of pyproject.toml: sh requirements/lock.sh
set -eu
cd "$(dirname "$0")/.."
${PYTHON:-.venv/bin/python} -m uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
    --constraints requirements/torch.txt --generate-hashes --no-annotate --no-header --quiet |
    awk '/^[a-z]/ { keep = ($0 !~ /^(torch|triton|nvidia-|cuda-)/) } keep' > requirements/lock.txt.new
mv requirements/lock.txt.new requirements/lock.txt
