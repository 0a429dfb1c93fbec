"""Verifies signed webhooks: each line of the input is {"secret", "headers", "body"}."""

import hashlib
import hmac
import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    got = json.loads(line)
    Webhook(got["secret"]).verify(got["body"], got["headers"])
    parts = dict(part.split("=", 1) for part in got["headers"]["x-aegis-signature"].split(","))
    signed = f'{parts["t"]}.{got["body"]}'.encode()
    expected = hmac.new(got["secret"].encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, parts["v1"]), line
    print("verified", flush=True)
