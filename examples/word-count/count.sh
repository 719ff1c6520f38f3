#!/bin/sh
# Count: the words of a text, by the folder contract of a command application.
#
# In:  $text, or the file that $document names (input_0.*); $top = how many words to list.
# Out: algo_info.txt (name=value), frequent.csv and words.csv (word,count; most frequent first),
#      or demo_failure.txt with the reason why there is nothing to count.
#
# A word is a run of letters and digits, with apostrophes inside. Case does not count for A to Z and À to Þ.
# Bytes, not locales: the same text gives the same counts on every machine. Needs sh, awk, tr, sort, wc, iconv.
set -eu
LC_ALL=C
export LC_ALL

decline() {
    printf '%s\n' "$1" >demo_failure.txt
    exit 0
}

if [ -n "${document:-}" ]; then
    [ -z "${text:-}" ] || decline "There is a text and a file. Send one of them."
    input=$document
else
    input=text.txt
    printf '%s' "${text:-}" >"$input"
fi

[ "$(tr -d '\000' <"$input" | wc -c)" -eq "$(wc -c <"$input")" ] ||
    decline "The file is not plain text: it contains null bytes. Save it as plain text in UTF-8."
iconv -f UTF-8 -t UTF-8 "$input" >/dev/null 2>&1 ||
    decline "The text is not in UTF-8. Save it as plain text in UTF-8."

# Punctuation beyond ASCII becomes a space (U+2019 an apostrophe); then one word per line.
tr '\r' '\n' <"$input" | awk '
    BEGIN {
        for (code = 128; code <= 158; code++)
            if (code != 151) lower[sprintf("\303%c", code)] = sprintf("\303%c", code + 32)
    }
    {
        if (index($0, "\302")) gsub("\302[\200-\251\253-\264\266-\271\273-\277]", " ")
        if (index($0, "\342")) { gsub("\342\200\231", "\047"); gsub("\342[\200-\203][\200-\277]", " ") }
        if (index($0, "\343")) gsub("\343\200[\200-\203\210-\237]", " ")
        if (index($0, "\357")) { gsub("\357\273\277", ""); gsub("\357\274[\201-\217\232-\240]", " ") }
        if (index($0, "\303")) for (letter in lower) gsub(letter, lower[letter])
        print
    }' | tr 'A-Z' 'a-z' | tr -cs "a-z0-9'\200-\377" '\n' |
    awk '{ gsub("^\047+|\047+$", ""); if ($0 != "") counts[$0]++ }
         END { for (word in counts) print word "," counts[word] }' |
    sort -t, -k2,2nr -k1,1 >counted.txt
[ -s counted.txt ] || decline "There are no words in this text. Write some, or send a text file."

{
    echo "word,count"
    cat counted.txt
} >words.csv
awk -v most="$top" 'NR <= most + 1' words.csv >frequent.csv
{
    echo "words=$(awk -F, '{ words += $2 } END { printf "%d", words }' counted.txt)"
    echo "distinct=$(($(wc -l <counted.txt)))"
    echo "lines=$(awk 'END { print NR }' "$input")"
    echo "characters=$(($(tr -d '\200-\277' <"$input" | wc -c)))"
} >algo_info.txt
echo "Counted $(wc -l <counted.txt) different words."
