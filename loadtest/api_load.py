#!/usr/bin/env python3
"""Measures how many requests a second one process answers, with limits raised, by a client on the same machine.

    loadtest/api_load.py FOLDER [--seconds N] [--rate N] [--people-rate N]

FOLDER holds botfleet and botfleet-loadtest (target/release). Needs wrk. The mix: 50 % the cluster's view, 30 % a page of decisions
from the store, 20 % dead letters, which are the reads that exist. Prints requests a second, latencies and what was refused.
"""

import argparse
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
loader = importlib.machinery.SourceFileLoader("api", f"{TOP}/.ci/api")
api = importlib.util.module_from_spec(importlib.util.spec_from_loader("api", loader))
loader.exec_module(api)

MIX = """
local n = 0
local paths = {
  "/api/v1/cluster", "/api/v1/cluster", "/api/v1/cluster", "/api/v1/cluster", "/api/v1/cluster",
  "/api/v1/chats/lounge/decisions?limit=20", "/api/v1/chats/lounge/decisions?limit=20",
  "/api/v1/chats/lounge/decisions?limit=20", "/api/v1/dead-letters", "/api/v1/dead-letters",
}
request = function()
  n = n + 1
  return wrk.format("GET", paths[n % 10 + 1])
end
"""

# With a rate each connection waits between its requests, a little less than its share, since an answer takes its time too.
CONNECTIONS = 16
PACED = """
delay = function() return %d end
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("programs")
    arguments.add_argument("--seconds", type=int, default=10)
    arguments.add_argument("--rate", type=int, default=0, help="requests a second; as many as go without it")
    arguments.add_argument("--people-rate", type=int, default=0, help="messages of people a minute")
    asked = arguments.parse_args()
    programs = os.path.abspath(asked.programs)
    with tempfile.TemporaryDirectory(prefix="botfleet-api-") as folder, contextlib.ExitStack() as running:
        people = ["--people", "--people-rate", str(asked.people_rate)] if asked.people_rate else []
        world = running.enter_context(api.started(
            [f"{programs}/botfleet-loadtest", "serve", "--demo", *people, "--listen", "127.0.0.1:0"],
            f"{folder}/world.log", "http://"))
        world = f"http://{world}".removesuffix("/")
        with open(f"{folder}/botfleet.toml", "w", encoding="utf-8") as file:
            file.write(api.SETTINGS.format(folder=folder, world=world))
        with open(f"{TOP}/config/demo.toml", encoding="utf-8") as manifest, open(f"{folder}/fleet.toml", "w", encoding="utf-8") as file:
            text = manifest.read().replace('"Deniz"', '"Ada"').replace('"cay-bahcesi"', '"lounge"')
            file.write(text.replace("http://world:8082", world))
        address = running.enter_context(api.started(
            [f"{programs}/botfleet", "run", "--no-launcher", "--config", f"{folder}/botfleet.toml",
             "--manifest", f"{folder}/fleet.toml"],
            f"{folder}/fleet.log", "listening  ", env={**os.environ, **api.tokens()}))
        local = api.Local(f"{folder}/botfleet.sock")
        local.ask("POST", "/api/v1/users", {"name": "a", "role": "viewer"})
        key = local.ask("POST", "/api/v1/users/a/keys", {"name": "load", "role": "viewer", "days": 1})
        key = json.loads(key)["key"]
        time.sleep(3)
        with open(f"{folder}/mix.lua", "w", encoding="utf-8") as file:
            file.write(MIX + (PACED % (CONNECTIONS * 1000 // asked.rate - 1) if asked.rate else ""))
        subprocess.run(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{asked.seconds}s", "--latency", "-s", f"{folder}/mix.lua",
             "-H", f"authorization: Bearer {key}", address], check=True)


if __name__ == "__main__":
    main()
