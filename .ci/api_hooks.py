"""Reads what the API answers besides JSON, for schemathesis: the schema of `application/x-ndjson` is that of a line."""

import json

import schemathesis


@schemathesis.deserializer("application/x-ndjson")
def longest_line(_context, response):
    """Returns the longest line; `.ci/api` waits until there is one."""
    return json.loads(max(response.content.splitlines(), key=len))
