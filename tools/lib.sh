# What the tools share. Sourced by bash scripts in this folder, which run with `set -euo pipefail`.

tools_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root_dir=$(dirname "$tools_dir")
python=/usr/bin/python3 # Debian's, whatever python is first on the PATH

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# packages_of PURPOSE... : the names in packages.txt, one a line
packages_of() {
    local purpose
    for purpose in "$@"; do
        sed -n "s/^$purpose: //p" "$tools_dir/packages.txt" | tr ' ' '\n'
    done | sort -u
}

missing_packages() {
    local package
    for package in $(packages_of "$@"); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || say "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# run_logged LOG COMMAND... : its output goes to LOG; every ten seconds a line tells how far it is
run_logged() {
    local log=$1 begun=$SECONDS told=$SECONDS pid
    shift
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ $((SECONDS - told)) -ge 10 ]; then
            told=$SECONDS
            printf '  %3d s  %s\n' $((SECONDS - begun)) "$(tail -n 1 "$log" | tr -cd '[:print:]' | cut -c 1-70)"
        fi
    done
    wait "$pid"
}

apt_install() {
    as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# install_packages PURPOSE... : installs what is missing, or says in one line why it cannot
install_packages() {
    command -v dpkg-query >/dev/null || die "this is no Debian; it wants these packages or their like: $(packages_of "$@" | xargs)"
    local missing
    missing=$(missing_packages "$@" | xargs)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "missing packages, and neither root nor sudo to install them: apt-get install $missing"
    fi
    say "installing $missing"
    local log
    log=$(mktemp)
    as_root true # asks for the password, where one is wanted
    # shellcheck disable=SC2086 # one word a package
    if ! run_logged "$log" apt_install $missing; then
        tail -n 5 "$log" >&2
        die "packages cannot be installed (the whole of apt's output: $log): $missing"
    fi
    rm -f "$log"
}

