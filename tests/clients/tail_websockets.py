"""Tails with Python's websockets: history, then live lines, in order and each once."""

import json
import sys
import time
import urllib.request

from websockets.sync.client import connect

url = sys.argv[1]


def push(numbers):
    values = [[str(time.time_ns() + number), "line %d" % number] for number in numbers]
    body = json.dumps({"streams": [{"stream": {"client": "python-websockets"}, "values": values}]})
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + "/loki/api/v1/push", body.encode(), headers)) as answer:
        assert answer.status == 204, answer.status


push(range(10))
target = url.replace("http", "ws", 1) + "/loki/api/v1/tail?query=%7Bclient%3D%22python-websockets%22%7D"
lines = []
with connect(target) as socket:
    for end in (20, 30):
        push(range(end - 10, end))
        while len(lines) < end:
            frame = json.loads(socket.recv(timeout=30))
            lines += [line for stream in frame["streams"] for _, line in stream["values"]]
assert lines == ["line %d" % number for number in range(30)], lines
