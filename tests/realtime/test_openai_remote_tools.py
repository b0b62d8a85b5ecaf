"""What the server says of the tools it calls itself."""

from __future__ import annotations

from telephony.realtime.events import ApprovalRequested, ModelError, ToolCallRequested
from tests.realtime.driver import Driver

ASKED = {
    "id": "mcpr_1",
    "type": "mcp_approval_request",
    "server_label": "crm",
    "name": "find",
    "arguments": '{"n": 1}',
}
CALL = {
    "id": "mcp_1",
    "type": "mcp_call",
    "server_label": "crm",
    "name": "find",
    "arguments": "{}",
    "output": "found",
}


def connected() -> Driver:
    driver = Driver()
    driver.connect()
    driver.events()
    return driver


def finish_call(driver: Driver, outcome: str = "completed") -> None:
    driver.say(f"response.mcp_call.{outcome}", item_id="mcp_1", output_index=0)


def test_a_request_is_reported_once_however_often_it_is_named() -> None:
    driver = connected()
    driver.response_created()
    driver.item_added(ASKED)
    driver.say("response.output_item.done", response_id="resp_1", output_index=0, item=ASKED)
    driver.response_done(output=[ASKED])
    asked = [event for event in driver.events() if isinstance(event, ApprovalRequested)]
    assert asked == [ApprovalRequested("mcpr_1", "crm", "find", '{"n": 1}')]
    assert driver.sent() == []


def test_an_answer_is_an_item() -> None:
    driver = connected()
    driver.item_added(ASKED)
    driver.model.answer_approval("mcpr_1", True)
    (sent,) = driver.sent()
    assert sent["item"].pop("id").startswith("item_")
    assert sent["item"] == {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": True,
    }


def test_the_server_goes_on_by_itself() -> None:
    driver = connected()
    driver.response_created("resp_1")
    finish_call(driver)
    driver.response_done("resp_1", output=[CALL])
    assert driver.sent() == []
    driver.wait(1.0)
    driver.response_created("resp_2")
    driver.wait(5.0)
    assert driver.sent() == []
    assert driver.model.stats.remote_tool_calls == 1


def test_if_it_does_not_it_is_asked_to() -> None:
    driver = connected()
    driver.response_created("resp_1")
    finish_call(driver, "failed")
    driver.response_done("resp_1", output=[CALL])
    driver.wait(3.0)
    assert driver.sent_types() == ["response.create"]
    assert driver.model.stats.remote_tool_failures == 1


def test_an_answer_in_the_same_response_is_enough() -> None:
    driver = connected()
    driver.response_created("resp_1")
    finish_call(driver)
    driver.audio(bytes(800))
    driver.response_done("resp_1", output=[CALL])
    driver.wait(5.0)
    assert driver.sent() == []


def test_a_call_after_an_approval_ends_outside_of_a_response() -> None:
    driver = connected()
    driver.item_added(ASKED)
    driver.model.answer_approval("mcpr_1", True)
    driver.sent()
    driver.item_added(CALL)
    finish_call(driver)
    driver.wait(3.0)
    assert driver.sent_types() == ["response.create"]


def test_a_new_connection_owes_nothing() -> None:
    driver = connected()
    driver.response_created("resp_1")
    finish_call(driver)
    driver.model.connection_lost(driver.now)
    driver.connect()
    driver.wait(5.0)
    assert "response.create" not in driver.sent_types()


def test_a_long_call_is_no_stall() -> None:
    driver = connected()
    driver.response_created("resp_1")
    for _ in range(4):
        driver.wait(20.0)
        driver.say("response.mcp_call.in_progress", item_id="mcp_1", output_index=0)
    assert driver.model.stats.stalled == 0


def test_a_server_that_can_t_be_listed_is_an_error_that_ends_nothing() -> None:
    driver = connected()
    driver.item_added(
        {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "crm", "tools": []}
    )
    driver.say("mcp_list_tools.in_progress", item_id="mcpl_1")
    driver.say("mcp_list_tools.failed", item_id="mcpl_1")
    (error,) = driver.events()
    assert isinstance(error, ModelError)
    assert (error.code, error.fatal) == ("mcp_list_tools_failed", False)
    assert "'crm'" in error.message


def test_items_of_remote_tools_are_no_part_of_the_history() -> None:
    driver = connected()
    for item in (ASKED, CALL):
        driver.item_added(item)
    assert driver.model.history == ()
    assert not [event for event in driver.events() if isinstance(event, ToolCallRequested)]
    assert driver.model.stats.unknown == 0
