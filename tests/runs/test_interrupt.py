import signal

import pytest

from llmlab.runs.interrupt import deferred_interrupt


def test_ctrl_c_is_noted_and_a_second_one_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupt() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_processes_that_wait_for_each_other_are_interrupted_at_once() -> None:
    with deferred_interrupt(is_alone=False), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
