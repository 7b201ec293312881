#!/bin/sh
# compress.sh FROM TO [QUALITY]: copies a folder and lays a Brotli and a gzip version beside every
# text that is worth it. Once, when the image is built: no server compresses the same script twice.
set -eu
from=$1 to=$2 quality=${3:-11}
mkdir -p "$to"
cp -R "$from"/. "$to"
find "$to" -type f -size +1k \
	\( -name '*.js' -o -name '*.css' -o -name '*.html' -o -name '*.json' -o -name '*.svg' -o -name '*.wasm' \) \
	-exec brotli --force --keep --quality="$quality" {} + \
	-exec gzip --force --keep -9 {} +
