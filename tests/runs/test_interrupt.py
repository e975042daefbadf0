import signal

import pytest

from llmlab.runs.interrupt import deferred_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_a_second_one_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with deferred_interrupt() as interrupted:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_processes_that_wait_for_each_other_are_interrupted_at_once() -> None:
    with deferred_interrupt(is_alone=False), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
