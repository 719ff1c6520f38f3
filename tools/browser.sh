#!/bin/sh
# The browser of the page tests: Debian's chromium. Installed when missing and we may; else says what to do.
set -eu
find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
if find_browser >/dev/null; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
elif ! .venv/bin/playwright install chromium; then
    echo "The page tests need a browser. Install one: sudo apt-get install chromium" >&2
    exit 1
fi
