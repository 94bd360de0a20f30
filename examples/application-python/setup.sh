#!/bin/sh
# Makes the virtual environment and generates the classes of the messages from the published .proto files.
set -eu
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
rm -rf generated
mkdir generated
protos=../../packages/contracts/proto
.venv/bin/python -m grpc_tools.protoc -I "$protos" -I . --python_out=generated \
  "$protos"/itchain/bus/v1/bus.proto "$protos"/itchain/data/v1/data.proto ./*.proto
