"""Which settings a server runs with, told from its command line: Compose may have been given others than we were."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wsgilab.lab.servers import VARIABLE


def settings_shown(template: str, running: str) -> Mapping[str, str] | None:
    """What the variables in a command of compose.yaml stand for in the one that runs; None where it is another command.

    `template`: `gunicorn -w ${GUNICORN_WORKERS:-4} …`. `running`: as the kernel has it, with a path before the program,
    perhaps an interpreter, and with words where it has been rewritten.
    """
    pattern, seen = [], set[str]()
    position = 0
    text = " ".join(template.split())
    for match in VARIABLE.finditer(text):
        name = match["name"]
        pattern += [re.escape(text[position : match.start()]), f"(?P={name})" if name in seen else rf"(?P<{name}>\S+)"]
        position = match.end()
        seen.add(name)
    pattern.append(re.escape(text[position:]))
    found = re.fullmatch(rf"(?:.*/)?{''.join(pattern)}", " ".join(running.split()))
    return found.groupdict() if found else None
