"""Logs through OpenTelemetry's SDK and its OTLP/HTTP exporter, plain and gzip, and reads the lines back."""

import json
import logging
import sys
import urllib.parse
import urllib.request
import warnings

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

warnings.simplefilter("ignore", DeprecationWarning)
url = sys.argv[1]
for compression in (Compression.NoCompression, Compression.Gzip):
    name = "otel-" + compression.value
    provider = LoggerProvider(resource=Resource.create({"service.name": name, "deployment.color": "blue"}))
    exporter = OTLPLogExporter(endpoint=url + "/otlp/v1/logs", compression=compression)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
    sent = ["line %d" % number for number in range(50)]
    for line in sent:
        logger.warning(line, extra={"user.id": "u1"})
    assert provider.force_flush()
    provider.shutdown()
    query = '{service_name="%s"} | detected_level="warn" | user_id="u1" | deployment_color="blue"' % name
    params = urllib.parse.urlencode({"query": query, "direction": "forward"})
    with urllib.request.urlopen(url + "/loki/api/v1/query_range?" + params) as answer:
        streams = json.load(answer)["data"]["result"]
    values = sorted((int(time), line) for stream in streams for time, line in stream["values"])
    assert [line for _, line in values] == sent, (streams, sent)
