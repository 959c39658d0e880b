"""Pods of a manifest as containers of the Docker engine: what a kubelet would make of them, as far as Docker can.

The containers of a pod share the network and the processes of one that does nothing but collect orphans. The cluster is
missing: names are aliases in a network, so a Service that leads to another port is not there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from manifests import environment, matches, of_kind, pods

Json = dict[str, Any]


class Pods:
    """Some pods of rendered files, by their names. Leaving the block removes all that was started."""

    def __init__(self, texts: Mapping[str, str], folder: Path, of_docker: Mapping[str, str], prefix: str) -> None:
        self._texts = texts
        self._folder = folder
        self._of_docker = of_docker
        self._prefix = prefix
        self._started: list[str] = []
        self.results = folder / "results"
        """What the claim is here."""

    def __enter__(self) -> Pods:
        self.results.mkdir()
        self.results.chmod(0o777)
        for path in (self._folder, self._folder.parent, self._folder.parent.parent):
            path.chmod(0o755)
        (self._folder / "nginx-conf").mkdir()
        (self._folder / "nginx-conf/nginx.conf").write_text(self._texts["base/nginx.conf"])
        self.docker("network", "create", self._prefix)
        self.docker(*("volume", "create", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs"),
                    *("--opt", "o=mode=0777", f"{self._prefix}-sockets"))  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for words in (["rm", "--force", *reversed(self._started)], ["network", "rm", self._prefix]):
            self.docker(*words, check=False)
        self.docker("volume", "rm", f"{self._prefix}-sockets", check=False)

    def start(self, name: str, cpus: str, told: Mapping[str, str] = MappingProxyType({})) -> None:
        """Start a pod, each of its containers on these CPUs, and `told` these variables instead of the manifest's."""
        pod = pods(self._texts)[name]
        services = [
            service
            for service, found in of_kind(self._texts, "Service").items()
            if matches(found["spec"]["selector"], pod["metadata"]["labels"])
        ]
        aliases = [word for service in services for word in ("--network-alias", service)]
        first = f"{self._prefix}-{name}-first"
        self._run(first, "--init", "--network", self._prefix, *aliases, "--entrypoint", "sleep", _image(pod), "600")
        shared = ("--pid", f"container:{first}") if pod["spec"]["shareProcessNamespace"] else ()
        for container in pod["spec"]["containers"]:
            words = self._words(container, {volume["name"]: volume for volume in pod["spec"]["volumes"]}, told)
            self._run(
                f"{self._prefix}-{container['name']}",
                *("--network", f"container:{first}", *shared, "--cpuset-cpus", cpus),
                *words,
            )

    def inside(self, container: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """What a command in a container comes to."""
        return self.docker("exec", f"{self._prefix}-{container}", *command, check=check)

    def stop(self, container: str) -> None:
        """End a container, as a kubelet does: it is asked to, and killed when it has not after a while."""
        self.docker("stop", f"{self._prefix}-{container}")

    def ended(self, container: str) -> tuple[int, str]:
        """The exit code of a container when it has ended, and what it wrote."""
        code = int(self.docker("wait", f"{self._prefix}-{container}").stdout)
        said = self.docker("logs", f"{self._prefix}-{container}")
        return code, said.stdout + said.stderr

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["docker", *words], env=dict(self._of_docker), capture_output=True, text=True, timeout=180, check=False
        )
        assert not check or done.returncode == 0, f"docker {words}:\n{done.stdout}{done.stderr}"
        return done

    def _run(self, name: str, *words: str) -> None:
        self._started.append(name)
        self.docker("run", "--detach", "--name", name, *words)

    def _words(self, container: Json, volumes: Mapping[str, Json], told: Mapping[str, str]) -> list[str]:
        security = container["securityContext"]
        words = ["--user", f"{security['runAsUser']}:{security['runAsGroup']}"]
        words += ["--read-only"] if security["readOnlyRootFilesystem"] else []
        words += [word for name in security["capabilities"]["drop"] for word in ("--cap-drop", name)]
        words += [] if security["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges:true"]
        words += ["--memory", container["resources"]["limits"]["memory"].removesuffix("i")]
        for mount in container["volumeMounts"]:
            words += self._mount(mount["mountPath"], volumes[mount["name"]])
        for name, value in (environment(container) | dict(told)).items():
            words += ["--env", f"{name}={value}"]
        command = container.get("command", [])
        words += ["--entrypoint", command[0]] if command else []
        return [*words, container["image"], *command[1:], *container.get("args", ())]

    def _mount(self, path: str, volume: Json) -> list[str]:
        if "configMap" in volume:
            return ["--volume", f"{self._folder}/{volume['name']}:{path}:ro"]
        if "persistentVolumeClaim" in volume:
            return ["--volume", f"{self.results}:{path}"]
        if volume["name"] == "sockets":
            return ["--volume", f"{self._prefix}-sockets:{path}"]
        return ["--tmpfs", f"{path}:mode=0777"]


def _image(pod: Json) -> str:
    """One that has `sleep`: that of the last container, for the first is nginx's own in the pod with several."""
    return str(pod["spec"]["containers"][-1]["image"])
