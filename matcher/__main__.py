"""`python -m matcher`, and the command `matcher`: a signal ends it as Ctrl-C does."""

import _thread
import os
import signal
import sys
import threading
from contextlib import suppress

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # each system has some of them
_AGAIN = 0.05  # seconds


def main() -> None:
    """Run the command line; after a signal one sentence, nothing half-written, and status 130."""
    caught: list[signal.Signals] = []
    is_running = True

    def stop(number: int, _: object) -> None:
        if is_running:  # else there is nothing left to be interrupted
            caught.append(signal.Signals(number))
            raise KeyboardInterrupt

    def lost(unraisable: "sys.UnraisableHookArgs") -> None:
        """Raise an interrupt again that came where nobody could catch it, as in a destructor."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)
            return
        again = threading.Timer(_AGAIN, _send, caught[-1:])
        again.daemon = True
        again.start()

    sys.unraisablehook = lost
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup wants to live on
            signal.signal(number, stop)
    try:
        from matcher.cli import main as call  # 0.2 s, in which a signal may come

        call()
    except BaseException as error:
        is_running = False
        for number in numbers:  # Python takes its handlers back before it ends, and would be killed
            signal.signal(number, signal.SIG_IGN)
        if not caught:
            raise
        _leave(error)


def _send(number: signal.Signals) -> None:
    """Interrupt the main thread, which may be asleep."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:  # Windows, where a signal is sent to nobody but the whole process
        _thread.interrupt_main(number)


def _leave(error: BaseException) -> None:
    """Say what Ctrl-C says, where nobody has yet, and leave.

    At once: what is left of an interrupted import may be anything, and Python itself would end as
    by SIGINT where the interrupt went through a text that a library executes.
    """
    from matcher import console

    if not isinstance(error, SystemExit):
        console.complain(console.INTERRUPTION)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError):  # whoever read us may have left
            stream.flush()
    status = error.code if isinstance(error, SystemExit) else console.INTERRUPTED
    os._exit(status if isinstance(status, int) else console.INTERRUPTED)


if __name__ == "__main__":
    main()
