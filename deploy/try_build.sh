#!/bin/sh
# Builds both images where there is neither a container daemon nor a registry, and starts the lab in
# its own: deploy/try_build.sh [FOLDER]. As root, with Debian's buildah and debootstrap.
#
# The bases are stand-ins, made of Debian's packages. For python:3.11-slim it is Debian with Python and
# the installed packages of this checkout's .venv, so that the image's pip has nothing to fetch; for
# debian:bookworm-slim Debian; for caddy:2 Debian with its Caddy. What the Dockerfile does with its
# bases is tried. The real bases, and fetching the requirements, are not.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-$(mktemp -d)}
python=$PWD/.venv/bin/python
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
libraries="$packages/nvidia" # CUDA's, of gigabytes: mounted while building, not copied
needed=libgomp1,libssl3,libffi8,libsqlite3-0,zlib1g,liblzma5,libbz2-1.0 # by that Python
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay

buildah_here() { buildah --root "$folder/store" --runroot "$folder/run" "$@"; }

base() { # an image of a folder: base FOLDER NAME
    made=$(buildah_here from scratch)
    buildah_here add -q "$made" "$1" /
    buildah_here commit -q "$made" "docker.io/library/$2"
    buildah_here rm "$made"
}

script() { # script PATH TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod +x "$1"
}

build() { # build TARGET NAME
    buildah_here build --pull-never --layers=false --format docker -q \
        -f deploy/Dockerfile --target "$1" -t "$2" \
        --volume "$libraries:/usr/local/lib/python3.11/site-packages/nvidia:ro" .
}

mkdir -p "$folder"
[ -e "$folder/debian" ] || debootstrap --variant=minbase \
    --include="ca-certificates,caddy,$needed" bookworm "$folder/debian" >"$folder/debootstrap.log"
base "$folder/debian" debian:bookworm-slim
# caddy:2 has BusyBox's adduser: -D no password, -H no home, -u the number.
script "$folder/debian/usr/local/sbin/adduser" \
    '[ "$1 $2 $3" = "-D -H -u" ] && exec useradd --no-create-home --uid "$4" "$5"'
chroot "$folder/debian" userdel proxy # Debian has one of its own
mkdir -p "$folder/debian/config" "$folder/debian/data"
base "$folder/debian" caddy:2
tar -C "$prefix" --exclude=site-packages --exclude=test --exclude=__pycache__ -cf - . \
    | tar -C "$folder/debian/usr/local" -xf -
mkdir -p "$folder/debian/usr/local/lib/python3.11/site-packages"
tar -C "$packages" --exclude=./nvidia --exclude=./triton --exclude=__pycache__ -cf - . \
    | tar -C "$folder/debian/usr/local/lib/python3.11/site-packages" -xf -
script "$folder/debian/usr/local/bin/pip" 'exec python -m pip "$@"'
chroot "$folder/debian" ldconfig
base "$folder/debian" python:3.11-slim

build lab influence-attack-lab
build proxy influence-attack-lab-proxy

# The image's own health check, asked until it is content; the server ends with the shell's command.
started=$(buildah_here from --pull-never influence-attack-lab)
trap 'buildah_here rm "$started"' EXIT
buildah_here run --user 10001:10001 "$started" -- sh -euc '
    python -m pages.common.serve --server.address 127.0.0.1 --server.port 8599 &
    server=$!
    tries=0
    until python -c "import urllib.request as r; r.urlopen(\"http://127.0.0.1:8599/_stcore/health\")"
    do
        kill -0 "$server" && [ "$tries" -lt 60 ]
        tries=$((tries + 1))
        sleep 2
    done 2>/dev/null
    kill "$server"
'
echo "The lab answers in its image."
