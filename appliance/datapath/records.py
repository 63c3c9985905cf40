"""The log records that actions leave: who sent it, to whom, what was done, why (asa.md §4.2)."""

from __future__ import annotations

from appliance.flow import Flow, Side
from appliance.policy.actions import (
    Cause,
    DropConnection,
    Log,
    MaliciousAddress,
    Matched,
    Oversize,
    Replaced,
    ResetConnection,
)
from appliance.syslog import (
    ActionClass,
    ActionTaken,
    EsmtpAction,
    EsmtpReceived,
    FlowTerminated,
    MaliciousPattern,
    Message,
    Record,
    SizeViolation,
    StringReplaced,
    Termination,
)


def closed(flow: Flow, action: DropConnection | ResetConnection | MaliciousAddress) -> list[Record]:
    """What is said of a connection that inspection closes."""
    source, destination = flow.sender(action.side), flow.sender(action.side.peer)
    if isinstance(action, MaliciousAddress):
        return [MaliciousPattern(source, destination, action.address)]
    reset = isinstance(action, ResetConnection)
    ended = FlowTerminated(source, destination, Termination.RESET if reset else Termination.DISCONNECTED)
    if not action.log:
        return [ended]
    taken = ActionTaken.RESET_CONNECTION if reset else ActionTaken.DROPPED_CONNECTION
    cause = action.cause
    return [
        EsmtpAction(_class(cause), taken, Message.of(action.side), source, destination, str(cause)),
        ended,
    ]


def logged(flow: Flow, action: Log) -> Record:
    """What is said of something that closed nothing: that it was seen, or that it was masked."""
    source, destination = flow.sender(action.side), flow.sender(action.side.peer)
    message, cause = Message.of(action.side), action.cause
    if action.masked:
        return EsmtpAction(_class(cause), ActionTaken.MASKED, message, source, destination, str(cause))
    return EsmtpReceived(_class(cause), message, source, destination, str(cause))


def oversize(flow: Flow, action: Oversize) -> Record:
    """What is said of a message bigger than was declared."""
    return SizeViolation(flow.sender(action.side), flow.sender(action.side.peer), action.declared, action.actual)


def replaced(flow: Flow, action: Replaced) -> Record:
    """What is said of a mail address in which octets became spaces."""
    return StringReplaced(flow.sender(action.side), flow.sender(action.side.peer), action.line)


def _class(cause: Cause) -> ActionClass:
    return ActionClass.CLASSIFICATION if isinstance(cause, Matched) else ActionClass.PARAMETER


def given_up(flow: Flow, side: Side) -> Record:
    """What is said of a connection that is reset for no rule's sake: its beginning was not seen (rows 19, 20), or the
    octets it keeps leave no room for others'."""
    return FlowTerminated(flow.sender(side), flow.sender(side.peer), Termination.RESET)
