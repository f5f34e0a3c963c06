#!/bin/sh
# Ask the package index for which Python and system each locked package, and torch, has a wheel.
# Downloads none of them: sh requirements/wheels.sh   (exit 1 if a package needs to be built)
set -u
cd "$(dirname "$0")"
PYTHON=${PYTHON:-../.venv/bin/python}
# antlr4 is published as source alone, in plain Python: it is built wherever it is installed.
packages=$(sed -n -e '/^antlr4-python3-runtime==/d' -e 's/^\([a-z].*[^ ]\) *\\$/\1/p' lock.txt; grep ^torch torch.txt)
missing=0
for version in 3.11 3.12 3.13 3.14; do
    for system in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
        found=$(echo "$packages" | MACOSX_DEPLOYMENT_TARGET=14.0 $PYTHON -m uv pip compile - --no-deps --only-binary :all: \
            --python-version $version --python-platform $system --no-header --no-annotate --quiet) || missing=1
        echo "Python $version, $system: $(echo "$found" | grep -c ==) packages have a wheel"
    done
done
exit $missing
