#!/usr/bin/env python3
"""Measures what readers of the stream of events cost one process: memory for each, frames told, gaps and doubles.

    loadtest/events_load.py FOLDER [--readers N] [--seconds N] [--people-rate N] [--most-mib N]

FOLDER holds botfleet and botfleet-loadtest (target/release). Opens N streams on the API's port as many API keys, while the demo's people speak,
and fails when a reader sees a number twice or misses one, when one is cut off, or when all of them took more than MIB.
"""

import argparse
import asyncio
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
loader = importlib.machinery.SourceFileLoader("api", f"{TOP}/.ci/api")
api = importlib.util.module_from_spec(importlib.util.spec_from_loader("api", loader))
loader.exec_module(api)

# Streams of one principal.
STREAMS_MAX = 20

# Keys of one account, well within what it may have.
KEYS_MAX = 10


def resident_mib(pid):
    """Returns the memory of a process that is resident."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise SystemExit(f"process {pid} is gone")


class Reader:
    """One reader: counts frames, and checks the numbers of each chat."""

    def __init__(self):
        self.frames = 0
        self.bytes = 0
        self.last = {}
        self.faults = []
        self.over = False

    def take(self, block):
        event, data = None, None
        for line in block.split("\n"):
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
        if event is None:
            return
        self.frames += 1
        number = {"entry": "number", "decision": "decision"}.get(event)
        if number:
            key = (event, data["chat"])
            if key in self.last and data[number] != self.last[key] + 1:
                self.faults.append(f"{key}: {data[number]} after {self.last[key]}")
            self.last[key] = data[number]
        elif event in ("reset", "dropped"):
            self.faults.append(event)

    async def run(self, host, port, key, opened):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(head.decode())
        opened()
        text = ""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int(await reader.readuntil(b"\r\n"), 16)
                piece = await reader.readexactly(size + 2)
                if size == 0:
                    break
                self.bytes += size
                text += piece[:-2].decode()
                while "\n\n" in text:
                    block, text = text.split("\n\n", 1)
                    self.take(block)
        self.over = True


async def measure(address, keys, asked, pid):
    host, port = address.removeprefix("http://").rstrip("/").rsplit(":", 1)
    before = resident_mib(pid)
    readers, tasks, count = [], [], 0

    def opened():
        nonlocal count
        count += 1

    for number in range(asked.readers):
        readers.append(Reader())
        tasks.append(asyncio.create_task(readers[-1].run(host, int(port), keys[number // STREAMS_MAX], opened)))
        if number % 50 == 49:
            await asyncio.sleep(0.05)
    until = time.monotonic() + 60
    while count < asked.readers and time.monotonic() < until:
        await asyncio.sleep(0.1)
    at_rest = resident_mib(pid)
    most, until = at_rest, time.monotonic() + asked.seconds
    while time.monotonic() < until:
        await asyncio.sleep(1)
        most = max(most, resident_mib(pid))
    cut = sum(reader.over for reader in readers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    frames, told = sum(reader.frames for reader in readers), sum(reader.bytes for reader in readers)
    faults = [fault for reader in readers for fault in reader.faults]
    print(f"readers {count} of {asked.readers}, cut off {cut}, gaps, doubles and resets {len(faults)} {faults[:3]}")
    print(f"memory  {before:.0f} MiB before, {at_rest:.0f} opened, {most:.0f} at most: {(most - before) * 1024 / max(count, 1):.1f} KiB a reader")
    print(f"frames  {frames} in {asked.seconds} s ({frames / asked.seconds:.0f}/s), {told / 1024 / 1024:.1f} MiB")
    return count == asked.readers and not cut and not faults and most - before <= asked.most_mib


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("programs")
    arguments.add_argument("--readers", type=int, default=1000)
    arguments.add_argument("--seconds", type=int, default=30)
    arguments.add_argument("--people-rate", type=int, default=60, help="messages of people a minute")
    arguments.add_argument("--most-mib", type=float, default=60, help="most memory of all readers")
    asked = arguments.parse_args()
    programs = os.path.abspath(asked.programs)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = asked.readers + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(hard, wanted), hard))
    with tempfile.TemporaryDirectory(prefix="botfleet-events-") as folder, contextlib.ExitStack() as running:
        world = running.enter_context(api.started(
            [f"{programs}/botfleet-loadtest", "serve", "--demo", "--people", "--people-rate", str(asked.people_rate),
             "--listen", "127.0.0.1:0", "--llm-latency-ms", "50"],
            f"{folder}/world.log", "http://"))
        world = f"http://{world}".removesuffix("/")
        with open(f"{folder}/botfleet.toml", "w", encoding="utf-8") as file:
            file.write(api.SETTINGS.format(folder=folder, world=world))
        with open(f"{TOP}/config/demo.toml", encoding="utf-8") as manifest, open(f"{folder}/fleet.toml", "w", encoding="utf-8") as file:
            file.write(manifest.read().replace("http://world:8082", world))
        address = running.enter_context(api.started(
            ["sh", "-c", 'echo $$ > "$0/pid"; exec "$@"', folder, f"{programs}/botfleet", "run", "--no-launcher",
             "--config", f"{folder}/botfleet.toml", "--manifest", f"{folder}/fleet.toml"],
            f"{folder}/fleet.log", "listening  ", env={**os.environ, **api.tokens()}))
        with open(f"{folder}/pid", encoding="utf-8") as file:
            pid = int(file.read())
        local = api.Local(f"{folder}/botfleet.sock")
        keys = []
        for number in range((asked.readers + STREAMS_MAX - 1) // STREAMS_MAX):
            user = f"readers{number // KEYS_MAX}"
            if number % KEYS_MAX == 0:
                local.ask("POST", "/api/v1/users", {"name": user, "role": "viewer"})
            made = local.ask("POST", f"/api/v1/users/{user}/keys", {"name": f"k{number}", "role": "viewer", "days": 1})
            keys.append(json.loads(made)["key"])
        time.sleep(3)
        if not asyncio.run(measure(address, keys, asked, pid)):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
