#!/bin/sh
# input_0.txt to upper case, with a suffix; an empty file is declined.
set -e
if [ ! -s input_0.txt ]; then
    echo "The file is empty; send one with text in it." > demo_failure.txt
    exit 0
fi
echo "reading $(wc -c < input_0.txt) bytes"
tr '[:lower:]' '[:upper:]' < input_0.txt > upper.txt
printf '%s' "$suffix" >> upper.txt
echo "characters=$(wc -c < upper.txt | tr -d ' ')" > algo_info.txt
