"""The lab's containers for one request, and the docker command for them."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsgilab.engines import far_engines, override
from wsgilab.engines.errands import Host
from wsgilab.lab.servers import Lab, variables_of
from wsgilab.machine import processes
from wsgilab.machine.environment import inherited
from wsgilab.machine.processes import Outcome
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import Listener
from wsgilab.model.privacy import without_values
from wsgilab.model.request import Request
from wsgilab.model.server import Server, given_to

ANSWER_TIMEOUT_S = 15.0
LAST_LINES = 5
LOST_LAYER = "failed to prepare extraction snapshot"
"""Docker with containerd's image store says so, now and then, of a build or a pull that works the next time
(https://github.com/moby/buildkit/issues/6521)."""
RECORDING = ["nginx", "nginx-exporter", "prometheus"]
"""Services that a run needs besides its servers. Grafana only shows; `docker compose up` starts it."""
COMPOSE = ("compose",)
EVERYTHING = ("compose", "--profile", "more")


@dataclass(frozen=True)
class Stack:
    """The lab's containers, for one request."""

    lab: Lab
    servers: Sequence[Server]
    request: Request
    stop: Stop
    listener: Listener
    host: Host | None = None
    """Who does errands for this process, where it is the runner in its container."""

    @property
    def first(self) -> Sequence[Server]:
        """The servers that run when a measurement begins: all, but of a tuning one, which others take the place of."""
        return self.servers[:1] if self.request.command == "tune" else self.servers

    @property
    def services(self) -> list[str]:
        """What has to be up when a measurement begins."""
        return [*RECORDING, *override.extra_services(self.servers), *(server.name for server in self.first)]

    @property
    def runner(self) -> str:
        """The service whose container measures."""
        return "browser" if self.request.command == "vitals" else "runner"

    @property
    def again(self) -> str:
        """The command that measures its app once more, in containers of the same engine."""
        elsewhere = self.request.elsewhere
        where = elsewhere.options if elsewhere else "--engine compose"
        return f"./lab run {where}{self.lab.app_options}"

    def environment(self, own_app: bool = True) -> dict[str, str]:
        """What Compose fills compose.yaml in with: the request's variables and no others of this process. It leads to
        the engine that has the servers.

        Without its `own_app`, as for a plain `docker compose up` with the same ports and settings.
        """
        known = variables_of(self.lab.root)
        user = {"LAB_UID": str(os.getuid()), "LAB_GID": str(os.getgid())}
        results = self.results()
        place = {"LAB_RESULTS_DIR": str(results)} if results else {}
        elsewhere = self.request.elsewhere
        engine = far_engines.leading_to(elsewhere.servers) if elsewhere else {}
        return {
            **inherited(lambda name: name in known or (engine and name in far_engines.LEADING)),
            **user,
            **(self.request.variables if own_app else self.request.settings),
            **place,
            **engine,
        }

    def results(self) -> Path | None:
        """The folder on this machine that the container writes to, where it is not the one of compose.yaml."""
        if own := self.request.out or self.request.resume:
            return Path(own).parent.resolve()
        return Path(self.request.results).resolve() if self.request.results else None


@dataclass(frozen=True)
class Docker:
    """The docker command for one stack."""

    stack: Stack
    environment: Mapping[str, str]
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    """The last lines of the commands that were followed."""

    def ask(self, *words: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Outcome:
        """What a command answers."""
        return processes.ask(["docker", *words], self.stack.lab.root, self.environment, timeout_s)

    def told(self, text: str) -> str:
        """What a container wrote, without the values of the variables that somebody gave the app."""
        return without_values(text, given_to(self.stack.servers))

    def follow(self, *words: str) -> int:
        """The exit code of a command whose lines are output. Raises Interrupted where the end was asked for."""
        code = self.hear(words, lambda line, _is_error: self.say(line))
        self.stack.stop.check()
        return code

    def get_images(self, *words: str) -> int:
        """The exit code of a pull or a build, which is tried once more where the engine lost a layer of its own."""
        code = self.follow(*words)
        if code != 0 and any(LOST_LAYER in line for line in self.last_lines):
            self.stack.listener.message("The engine lost a layer that it had just stored: once more …")
            self.last_lines.clear()
            code = self.follow(*words)
        return code

    def hear(self, words: Sequence[str], hear: processes.Heard, interrupt: Sequence[str] = ()) -> int:
        """The exit code of a command. `interrupt` is the one that ends it early; such a command is answered, too."""

        def ask_to_end(process: processes.Process) -> None:
            if not interrupt or not self.ask(*interrupt).ok:
                processes.signal_group(process, signal.SIGINT)

        command, root = ["docker", *words], self.stack.lab.root
        talk = processes.Conversation(hear, ask_to_end, answers=bool(interrupt))
        return processes.listen(command, talk, self.stack.stop, root, self.environment)

    def say(self, line: str) -> None:
        """Output, which an error message may need too."""
        if line:
            self.last_lines.append(line)
        self.stack.listener.output(line)
