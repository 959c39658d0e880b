"""Clears away what a run has made on another machine, however the run ends: also where it is killed.

A shell in a session of its own waits for the end of its standard input, which the run holds. So one way does for all:
at its end a run closes that, and where the kernel ends a run, it closes that too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType

from wsgilab.machine.dialogue import Dialogue
from wsgilab.machine.waiting import Stop, poll_until

SCRIPT = """
cd / || exit 1
clear_away() {
    docker compose --project-name "$0" down --volumes --remove-orphans --timeout 3 >/dev/null 2>&1
}
is_clear() {
    ours="label=com.docker.compose.project=$0"
    left=$(docker ps --all --quiet --filter "$ours" && docker network ls --quiet --filter "$ours" &&
        docker volume ls --quiet --filter "$ours") 2>/dev/null && test -z "$left"
}
read -r word
for pause in 1 1 2 5 10 20 40; do
    clear_away
    is_clear && break
    sleep "$pause"
done
if [ -z "$word" ]; then
    # Killed: a command of the run may still have been starting something.
    sleep 5
    clear_away
fi
is_clear
"""
"""A link that was cut may be back in a minute."""
WORD = "over"
"""What a run says that comes to its end by itself."""
PATIENCE_S = 60.0


class Guard:
    """Leaving its block clears the project away."""

    def __init__(self, project: str, environment: Mapping[str, str], warn: Callable[[], object]) -> None:
        """`environment`: of the docker command, without any COMPOSE_FILE. `warn` is called where something is left."""
        self._dialogue = Dialogue(["/bin/sh", "-c", SCRIPT, project], lambda _line: None, environment)
        self._warn = warn

    def __enter__(self) -> Guard:
        self._dialogue.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dialogue.say(WORD)
        self._dialogue.fall_silent(PATIENCE_S)
        # Nobody can interrupt this; where it takes longer, it goes on by itself.
        done = poll_until(lambda: self._dialogue.ended, Stop(), PATIENCE_S)
        if not done or self._dialogue.exit_code != 0:
            self._warn()
