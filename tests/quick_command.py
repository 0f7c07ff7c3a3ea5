"""The command line in a process of its own, with the quick encoder and reader of the tests.

It says `ready` on stderr when a signal would be caught.
"""

import os

from examples import LINES, FakeEncoder, FakeReader

import matcher.bridge
import matcher.job
import matcher.pipeline
from matcher import cli
from matcher.__main__ import main

matcher.bridge.shipped = lambda: LINES
matcher.job.load_encoder = lambda *_, **__: FakeEncoder()
matcher.job.load_reader = matcher.pipeline.load_reader = lambda *_, **__: FakeReader()


def call(plain=cli.main):
    os.write(2, b"ready\n")
    plain()


cli.main = call
main()
