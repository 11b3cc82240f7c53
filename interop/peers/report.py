"""How a peer reports to the script that runs it: a line of JSON for each scenario."""

import json
import random
import time

SMALL = [0, 1, 125, 126, 127, 65535, 65536]
TEXTS = ["Hello", "", "\U0001f44b w\u00f6rld \U0001f9d1\u200d\U0001f680", "\0", "\u20ac" * 50_000]


def noise(size):
    """Bytes without a pattern that a codec could get right by chance; the same bytes each time."""
    return random.Random(size).randbytes(size)


def tell(scenario, began, error):
    note = "" if error is None else f"{type(error).__name__}: {error}"
    result = {"scenario": scenario, "ok": error is None, "seconds": time.monotonic() - began, "note": note[:300]}
    print(json.dumps(result), flush=True)


def run(scenarios):
    """Each scenario is a function that raises an exception if it fails."""
    for name, scenario in scenarios.items():
        began = time.monotonic()
        try:
            scenario()
        except Exception as error:
            tell(name, began, error)
        else:
            tell(name, began, None)


async def run_async(scenarios):
    for name, scenario in scenarios.items():
        began = time.monotonic()
        try:
            await scenario()
        except Exception as error:
            tell(name, began, error)
        else:
            tell(name, began, None)


def same(seen, expected):
    if seen != expected:
        show = [repr(value)[:60] for value in (seen, expected)]
        raise AssertionError(f"{show[0]} is not {show[1]}")
