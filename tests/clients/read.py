"""Waits until a selector has so many lines."""

import json
import sys
import time
import urllib.parse
import urllib.request

url, selector, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
params = urllib.parse.urlencode({"query": selector, "limit": "1000"})
for _ in range(100):
    with urllib.request.urlopen(url + "/loki/api/v1/query_range?" + params) as answer:
        streams = json.load(answer)["data"]["result"]
    lines = [line for stream in streams for _, line in stream["values"]]
    if len(lines) == count:
        sys.exit()
    time.sleep(0.1)
sys.exit("%d lines of %d: %s" % (len(lines), count, streams))
