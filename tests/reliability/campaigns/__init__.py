"""The campaigns, one module for each subject: every module here has a tuple `CAMPAIGNS`."""

from __future__ import annotations

import importlib
import pkgutil

from tests.reliability.campaign import Campaign


def all_campaigns() -> dict[str, Campaign]:
    """Name to campaign, in order of the names of their modules."""
    modules = [importlib.import_module(f"{__name__}.{item.name}") for item in pkgutil.iter_modules(__path__)]
    return {campaign.name: campaign for module in modules for campaign in module.CAMPAIGNS}
