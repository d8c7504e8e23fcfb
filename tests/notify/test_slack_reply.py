"""Replies to clicks go to Slack and nowhere else."""

import pytest

from escalatord.errors import DeliveryError
from escalatord.notify.slack_reply import reply


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.slack.com/actions/T1/1/x",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@127.0.0.1/x",
        "https://hooks.slack.com:8443/x",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
        "",
    ],
)
async def test_nothing_but_slack_is_called(address: str):
    """An address that came with a forged click cannot make us call anybody else."""
    with pytest.raises(DeliveryError, match="no response address of Slack"):
        await reply(address, "Bo has it")
