"""Fixtures of the runtime tests: every device that is present."""

from __future__ import annotations

import pytest

from runtime.device import Device, available_devices, get_device


@pytest.fixture(params=(*available_devices(), "cpu"))
def device(request: pytest.FixtureRequest) -> Device:
    return get_device(request.param)
