"""Signals are noted, and raised where a run may end."""

import signal

import pytest

from nas_surgery.search.interrupts import InterruptedRunError, Interrupts


def swallow():
    """What libraries do that wait in C: any KeyboardInterrupt of a handler becomes one of their own."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None


def test_a_librarys_own_interrupt_is_taken_for_the_signal_that_came():
    """So that a run ends in order, and says by which signal."""
    with (
        Interrupts() as interrupts,
        pytest.raises(InterruptedRunError, match="SIGTERM") as stop,
        interrupts.allowed(),
    ):
        swallow()
    assert stop.value.signum == signal.SIGTERM


def test_an_interrupt_without_a_signal_stays_what_it_is():
    """Nobody is blamed for it."""
    with (
        Interrupts() as interrupts,
        pytest.raises(KeyboardInterrupt) as stop,
        interrupts.allowed(),
    ):
        raise KeyboardInterrupt
    assert type(stop.value) is KeyboardInterrupt
