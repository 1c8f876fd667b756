"""The probe as a fixture: `ask(questions)` gives one list of fields for each (verb, field, ...)."""

import os
import random

import pytest
from probing import put

SEED = int(os.environ.get("UNPIN_SEED", "20250601"))


@pytest.fixture(scope="session")
def ask():
    return put


@pytest.fixture
def rng(request):
    """A generator of its own for each test, so that one run alone sees the same cases."""
    print(f"seed {SEED}")
    return random.Random(f"{SEED} {request.node.name}")
