"""Logs through python-logging-loki, in both versions of its protocol, and reads the lines back."""

import json
import logging
import sys
import urllib.parse
import urllib.request

import logging_loki

url = sys.argv[1]
for version, path in (("1", "/loki/api/v1/push"), ("0", "/api/prom/push")):
    logger = logging.getLogger("version-" + version)
    logger.setLevel(logging.INFO)
    tags = {"client": "python-logging-loki", "version": version, "number": 7}
    logger.addHandler(logging_loki.LokiHandler(url=url + path, tags=tags, version=version))
    sent = ["%s line %d" % (version, number) for number in range(20)]
    for line in sent:
        logger.warning(line, extra={"tags": {"extra": "yes"}})
    query = '{client="python-logging-loki", version="%s", severity="warning", number="7", extra="yes"}' % version
    params = urllib.parse.urlencode({"query": query, "direction": "forward"})
    with urllib.request.urlopen(url + "/loki/api/v1/query_range?" + params) as answer:
        streams = json.load(answer)["data"]["result"]
    stored = [line for stream in streams for _, line in stream["values"]]
    assert stored == sent, (stored, sent)
