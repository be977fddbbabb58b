"""A receiver of what Portcullis tells others, made of official libraries. It prints its port, then one line of JSON for each request:
what it got, read by those libraries, and what it answered.

/ndjson   lines of JSON
/otlp     an ExportLogsServiceRequest, read by OpenTelemetry's own messages
/webhook  a signed message, checked by the Standard Webhooks library with the secret in the environment variable SECRET

The query says what it answers: `fail=N` refuses the first N requests with 503, `status=N` answers that always, `poison=TEXT` answers
400 to whatever holds that text, `partial=N` accepts all log records but N.
"""

import gzip
import http.server
import json
import os
import sys
import threading
from urllib.parse import parse_qs, urlsplit

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from standardwebhooks import Webhook

seen = {}
lock = threading.Lock()


def read(path, headers, body):
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if path == "/ndjson":
        assert headers["content-type"] == "application/x-ndjson", headers["content-type"]
        return [json.loads(line) for line in body.decode().splitlines()]
    if path == "/webhook":
        return [Webhook(os.environ["SECRET"]).verify(body, headers)]
    request = json_format.Parse(body, ExportLogsServiceRequest())
    resources = request.resource_logs
    records = [record for resource in resources for scope in resource.scope_logs for record in scope.log_records]
    service = {pair.key: pair.value.string_value for resource in resources for pair in resource.resource.attributes}
    return [
        {
            "service": service,
            "event": record.event_name,
            "severity": record.severity_number,
            "time": record.time_unix_nano,
            "attributes": {pair.key: json_format.MessageToDict(pair.value) for pair in record.attributes},
            "body": sorted(pair.key for pair in record.body.kvlist_value.values),
        }
        for record in records
    ]


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        url = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            read_as = read(url.path, headers, body)
        except Exception as error:  # whatever a library does not take
            read_as = [{"error": f"{type(error).__name__}: {error}"}]
        count = seen[url.path] = seen.get(url.path, 0) + 1
        status, answer, more = 200, {}, {}
        if count <= int(asked.get("fail", 0)):
            status = 503
        if "poison" in asked and asked["poison"] in json.dumps(read_as):
            status = 400
        if "partial" in asked:
            answer = {"partialSuccess": {"rejectedLogRecords": asked["partial"], "errorMessage": "too old"}}
        status = int(asked.get("status", status))
        if 300 <= status < 400:
            more["location"] = "/elsewhere"
        told = json.dumps({"path": url.path, "headers": headers, "got": read_as, "status": status})
        with lock:
            print(told, flush=True)
        answer = json.dumps(answer).encode()
        self.send_response(status)
        for key, value in {"content-type": "application/json", "content-length": str(len(answer)), **more}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
sys.stdin.close()
server.serve_forever()
