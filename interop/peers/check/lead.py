"""Leads a client through all cases of `framewire-echo --check-client`, in Autobahn's protocol."""

import sys
import urllib.parse


def targets(count, agent):
    """The URL of each case, and last that which says that all were run."""
    url, name = sys.argv[1].rstrip("/"), urllib.parse.urlencode({"agent": agent})
    yield from (f"{url}/runCase?case={at}&{name}" for at in range(1, count + 1))
    yield f"{url}/updateReports?{name}"


def count_url():
    return sys.argv[1].rstrip("/") + "/getCaseCount"
