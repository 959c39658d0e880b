"""Servers that run as pods of a Kubernetes namespace, next to the runner, which is a pod of it too."""

from __future__ import annotations

from collections.abc import Mapping

from wsgilab.engines import HealthCheck
from wsgilab.engines.attached import OWN_NGINX, AttachedEngine, answers
from wsgilab.engines.one_container import OneContainer
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, ServerError
from wsgilab.lab.servers import NAMESPACE
from wsgilab.machine.cluster_api import kubectl
from wsgilab.machine.waiting import poll_until
from wsgilab.model.server import Server


class ClusterEngine(AttachedEngine):
    """Reaches pods by the names of their Services. It starts and stops nothing, for which it would need rights."""

    name = "kubernetes"

    def start(self) -> None:
        """Wait until every server is healthy, and for nginx, which gives the fixed answer: no Compose has done so.

        Raises as AttachedEngine.
        """
        super().start()
        poll_until(lambda: answers(f"{OWN_NGINX}/health"), self._stop, self._start_timeout_s)

    def facts(self) -> Mapping[str, object]:
        """Images, the namespace, and how many CPUs each container has: of a node's, nobody knows beforehand which."""
        limits = {
            "cpus_of_each_server": len(self.lab.cpus("SERVER_CPUS")),
            "cpus_of_nginx": len(self.lab.cpus("SERVER_CPUS")),
            "cpus_of_the_load": len(self.lab.cpus("LOAD_CPUS")),
            **{name: self.lab.variables.get(name, "") for name in ("SERVER_MEMORY", "LOAD_MEMORY")},
        }
        return {**super().facts(), "limits": limits, "namespace": self.lab.variables.get(NAMESPACE)}

    def never_healthy(self, server: Server, check: HealthCheck) -> ServerError:
        """As AttachedEngine, with kubectl."""
        said = super().never_healthy(server, check)
        logs = self._kubectl("logs", f"deployment/{_deployment(server)}", "--container", server.name)
        return ServerError(said.what, said.cause, logs)

    def not_there(self, server: Server) -> MissingError:
        """The error for a server whose name leads to no pod."""
        return MissingError(
            f"{server.name} has no running pod.",
            "no node has so many CPUs left, or its image cannot be had there; its events have the reason",
            self._kubectl("describe", "pods", "--selector", f"app.kubernetes.io/name={_deployment(server)}"),
        )

    def not_back(self, server: Server, check: HealthCheck) -> ServerError:
        """As AttachedEngine, with kubectl."""
        said = super().not_back(server, check)
        cause = "it dies again at every start, and each time Kubernetes waits longer before the next one"
        logs = self._kubectl("logs", "--previous", f"deployment/{_deployment(server)}", "--container", server.name)
        return ServerError(said.what, cause, logs)

    def no_nginx(self) -> MissingError:
        """As AttachedEngine, with kubectl."""
        next_command = self._kubectl("describe", "pods", "--selector", "app.kubernetes.io/name=nginx")
        return MissingError("nginx was not found.", "its pod does not run", next_command)

    def _kubectl(self, *words: str) -> str:
        """What to type for the namespace of the pods, wherever that is done."""
        return kubectl(self.lab.variables.get(NAMESPACE), *words)


def next_to_runner(stack: Stack) -> AttachedEngine:
    """The engine for servers that somebody else has started, as the request names it."""
    kind = ClusterEngine if stack.request.engine == "kubernetes" else AttachedEngine
    if stack.request.command == "tune":
        kind = OneContainer
    return kind(stack.lab, stack.servers, stack.stop, stack.request.start_timeout_s, stack.listener, stack.host)


def _deployment(server: Server) -> str:
    """What starts it: those behind nginx are in its pod."""
    return "nginx" if server.via else server.name
