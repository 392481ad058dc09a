#!/bin/sh
# Checks this folder with sha256sum and grep alone, without the store and without a network:
#   sh check.sh                        the files, and each page up to the line in head.txt
#   sh check.sh 'bma-progress-head …'  also that this line, which somebody kept elsewhere, is in the chain
# It is short so that it can be read. Whoever alters this folder can alter this file too: if in doubt, use a copy of your own.
cd "$(dirname "$0")" || exit 2
LC_ALL=C; export LC_ALL
failed=0; left=""
bad() { echo "NOT PROVEN: $*"; failed=1; }
hash_of() { sha256sum <"$1" | cut -c1-64; }

sha256sum --quiet --strict -c SHA256SUMS || bad "files were altered (SHA256SUMS)"

# 1. each page is in the list of pages of the harvest in its name
for page in pages/*.html; do
  [ -e "$page" ] || continue
  harvest=$(basename "$page" | cut -c1-16); hash=$(hash_of "$page")
  case "$page" in *-"$(echo "$hash" | cut -c1-16)".html) ;; *) bad "$page has another hash than its name" ;; esac
  if [ -e "page-hashes/$harvest.txt" ]; then
    grep -qx "$hash" "page-hashes/$harvest.txt" || bad "$page is not among the pages of harvest $harvest"
  elif [ -e "page-hashes/$harvest.pages.parquet" ]; then
    left=" but for what you are to look at yourself"
    echo "look yourself: $hash must stand in the column page_sha256 of page-hashes/$harvest.pages.parquet"
  else
    bad "$page: there is no list of the pages of harvest $harvest"
  fi
done

# 2. each list is the one that the manifest of its harvest names
for list in page-hashes/*; do
  [ -e "$list" ] || continue
  harvest=$(basename "$list" | cut -c1-16)
  grep -q "\"$(hash_of "$list")\"" "manifests/$harvest.json" || bad "$list is not the list that manifests/$harvest.json names"
done

# 3. each manifest names the hash of the one before, and head.txt that of the last
chain=""; before=""; last=""
for manifest in manifests/*.json; do
  hash=$(hash_of "$manifest")
  if [ -n "$before" ]; then
    grep -q "\"previous_manifest_sha256\": \"$before\"" "$manifest" || bad "$manifest does not follow the one before it"
  fi
  chain="$chain
$(basename "$manifest" .json) $hash"; before=$hash; last=$(basename "$manifest" .json)
done
case "$(cat head.txt)" in *" $last $before") ;; *) bad "head.txt is not the line of manifests/$last.json" ;; esac

# 4. the line that somebody kept
if [ $# -gt 0 ]; then
  kept=$(echo "$1" | cut -d' ' -f4-5)
  if echo "$chain" | grep -qxF "$kept"; then echo "the kept line is in the chain"; else bad "the kept line is not in the chain"; fi
fi
[ "$failed" = 0 ] && echo "whole$left: every page belongs to the chain that ends with" && cat head.txt
exit $failed
