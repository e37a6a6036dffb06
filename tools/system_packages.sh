#!/bin/sh
# Installs the system packages that the tests need and that are missing (Debian, Ubuntu; as root), else names them.
set -eu
cd "$(dirname "$0")/.."
missing=""
need() { missing="$missing $1"; }

python="${PYTHON:-python3}"
command -v "$python" >/dev/null || need python3
[ -x .venv/bin/python ] || "$python" -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || need chromium
find /usr/share/fonts /usr/local/share/fonts -name 'NotoSansArabic*' 2>/dev/null | grep -q . || need fonts-noto-core
if [ -f tests/interop/package.json ]; then
    command -v node >/dev/null || need nodejs
    command -v npm >/dev/null || need npm
fi

[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq </dev/null
    # shellcheck disable=SC2086 # a list of words
    apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
else
    echo "These packages are missing:$missing" >&2
    echo "Install them, for example: sudo apt-get install$missing" >&2
    exit 1
fi
