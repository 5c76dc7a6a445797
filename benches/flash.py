#!/usr/bin/env python3
"""Bytes that a server writes to the file system per byte logged: a day of a quiet machine, in a few minutes.

    benches/flash.py BINARY [--interval SECONDS] [--streams N] [--rate LINES_PER_SECOND] [--hours H]

One push stands for what comes between two commits; the next follows once the server has committed it. What is
committed by time is so committed as often as in a real day, while the age at which heads are sealed is shortened by
as much as the day is. Written bytes are `write_bytes` of /proc/PID/io: what the process made dirty, page by page.
Needs a file system that counts them: tmpfs does not.
"""
import argparse, json, os, re, subprocess, sys, tempfile, time, urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("binary")
parser.add_argument("--interval", type=float, default=30, help="commit_interval that is simulated, in seconds")
parser.add_argument("--streams", type=int, default=50)
parser.add_argument("--rate", type=float, default=1, help="lines a second over all streams")
parser.add_argument("--hours", type=float, default=24)
parser.add_argument("--dir", help="where to keep the store; a temporary directory of the current one if left out")
arguments = parser.parse_args()

# A commit by time takes 50 ms, so an hour of commits every 30 s passes in about 7 s.
COMMIT_MS = 50
commits = int(arguments.hours * 3600 / arguments.interval)
lines_per_commit = max(1, round(arguments.rate * arguments.interval))
chunk_age_s = max(1, round(7200 / arguments.interval * COMMIT_MS / 1000 * 1.3))

with tempfile.TemporaryDirectory(dir=arguments.dir or ".") as base:
    config = os.path.join(base, "config.toml")
    with open(config, "w") as out:
        out.write(
            f'scrape_configs = []\nserver.listen = "127.0.0.1:0"\nstore = {{ path = "{os.path.abspath(base)}/data", '
            f'retention = "0", commit_interval = "{COMMIT_MS}ms", max_chunk_age = "{chunk_age_s}s" }}\n'
        )
    server = subprocess.Popen([arguments.binary, "--config", config], stderr=subprocess.PIPE, text=True)
    url = None
    while url is None:
        line = server.stderr.readline()
        if not line:
            sys.exit("the server did not start")
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            url = found.group()

    def metric(name):
        text = urllib.request.urlopen(f"{url}/metrics").read().decode()
        return float(re.search(rf"^{name} (\S+)", text, re.M).group(1))

    def written():
        with open(f"/proc/{server.pid}/io") as io:
            return int(re.search(r"^write_bytes: (\d+)", io.read(), re.M).group(1))

    start_ns = time.time_ns() - int(arguments.hours * 3600e9)
    logged = n = 0
    for commit in range(commits):
        streams = {}
        for _ in range(lines_per_commit):
            at_ns = start_ns + int(n / arguments.rate * 1e9)
            line = (
                f"{time.strftime('%b %d %H:%M:%S', time.gmtime(at_ns / 1e9))} host service[{1000 + n * 7919 % 9000}]: "
                f"session {n * 2654435761 % 1000003} of user u{n * 31 % 97} closed after {n * 17 % 5000} ms, "
                f"{n * 104729 % 100000} bytes sent to 10.{n * 13 % 256}.{n * 29 % 256}.{n * 43 % 256}"
            )
            streams.setdefault(n % arguments.streams, []).append([str(at_ns), line])
            logged += len(line) + 1
            n += 1
        body = json.dumps(
            {"streams": [{"stream": {"job": "flash", "unit": str(at)}, "values": values} for at, values in streams.items()]}
        )
        before = metric("narvi_store_wal_commits_total")
        request = urllib.request.Request(f"{url}/loki/api/v1/push", body.encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request).read()
        while metric("narvi_store_wal_commits_total") == before:
            time.sleep(COMMIT_MS / 5000)
    total = written()
    urllib.request.urlopen(urllib.request.Request(f"{url}/flush", method="POST")).read()
    sealed = written()
    blocks, block_bytes = metric("narvi_store_blocks_written_total"), metric("narvi_store_block_bytes_written_total")
    server.terminate()
    server.wait()
    print(
        f"{commits} commits, {n} lines, {logged} bytes logged, {total} bytes written: {total / logged:.2f} per byte; "
        f"{sealed / logged:.2f} with all heads sealed; {blocks:.0f} blocks of {block_bytes:.0f} bytes"
    )
