"""A server with settings changed, under a name of its own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.engines import override
from wsgilab.errors import UsageError
from wsgilab.lab.servers import Lab, load_lab
from wsgilab.lab.variants import Variant, add, again, nginx_blocks, parse, with_revision
from wsgilab.model.request import Revision
from wsgilab.model.server import App

LAB = load_lab(ROOT, {})
NGINX_CONF = (ROOT / "services/nginx/nginx.conf").read_text()


def lab_with(*texts: str) -> Lab:
    return add(LAB, [parse(text) for text in texts])


def test_a_twin_is_the_same_server_under_another_name() -> None:
    twin, gunicorn = lab_with("twin=gunicorn").servers["twin"], LAB.servers["gunicorn"]
    assert twin.command == gunicorn.command
    assert twin.environment == {**gunicorn.environment, "LAB_SERVER": "twin"}
    assert (twin.slots, twin.variant_of, twin.default) == (4, "gunicorn", False)
    assert (twin.url, twin.exporter_url) == ("http://twin:8000", "http://twin:9100/metrics")
    assert twin.port != gunicorn.port


def test_a_setting_of_compose_yaml_changes_command_slots_and_pattern() -> None:
    eight = lab_with("eight=gunicorn,GUNICORN_WORKERS=8").servers["eight"]
    assert "-w 8 " in " ".join(eight.command)
    assert eight.slots == 8
    assert eight.pattern.endswith("GUNICORN_WORKERS=8")
    assert LAB.servers["gunicorn"].slots == 4


def test_any_other_variable_goes_to_the_environment_of_the_app() -> None:
    environment = lab_with("slow=dev,SHOP_DB=sqlite,UWSGI_NOTE=x").servers["slow"].environment
    assert environment["SHOP_DB"] == "sqlite"
    assert lab_with("other=gunicorn,LAB_APP=shop:app").servers["other"].environment["LAB_APP"] == "shop:app"


def test_behind_nginx_a_variant_has_a_socket_and_a_port_of_its_own() -> None:
    lab = lab_with("a=uwsgi,UWSGI_THREADS=4", "b=gunicorn-nginx", "c=dev")
    a, b = lab.servers["a"], lab.servers["b"]
    assert "/run/sockets/a.sock" in a.command
    assert lab.services["a"]["healthcheck"]["test"][-1] == "uwsgi:/run/sockets/a.sock"
    assert [a.url, b.url] == ["http://nginx-variants:8101", "http://nginx-variants:8102"]
    config = nginx_blocks(NGINX_CONF, lab.servers)
    assert config.count("{") == config.count("}")
    assert re.search(r"upstream a \{\s+server unix:/run/sockets/a\.sock", config)
    assert re.search(r"listen 0\.0\.0\.0:8101;.*?uwsgi_pass a;", config, re.DOTALL)
    assert re.search(r"listen 0\.0\.0\.0:8102;.*?proxy_pass http://b;", config, re.DOTALL)
    assert config.startswith(NGINX_CONF.rstrip().removesuffix("}"))
    assert "upstream c " not in config


def test_without_variants_nginx_conf_stays_as_it_is() -> None:
    assert nginx_blocks(NGINX_CONF, LAB.servers) == NGINX_CONF


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["gunicorn"], "names no server"),
        (["twin="], "names no server"),
        (["Twin=gunicorn"], "lower-case"),
        (["a/b=gunicorn"], "lower-case"),
        (["twin=gunicron"], "did you mean 'gunicorn'"),
        (["twin=nginx"], "There is no server 'nginx'"),
        (["twin=gunicorn,GUNICORN_WORKER=8"], "did you mean 'GUNICORN_WORKERS'"),
        (["twin=gunicorn,UWSGI_THREADS=8"], "it is a setting of"),
        (["twin=gunicorn,LAB_SERVER=x"], "has no setting 'LAB_SERVER'"),
        (["twin=gunicorn,8"], "is not a setting"),
        (["twin=gunicorn,FOO=\udce9"], "has bytes or characters that no setting can have"),
        (["twin=gunicorn,FOO=\x1b[31m"], "has bytes or characters that no setting can have"),
        (["twin=gunicorn,GUNICORN_WORKERS=many"], "makes no number of slots: 'many'"),
        (["twin=gunicorn,A=1,A=2"], "sets A twice"),
        (["gunicorn=gunicorn"], "is taken"),
        (["prometheus=dev"], "is taken"),
        (["twin=dev", "twin=gunicorn"], "another --variant has it already"),
    ],
)
def test_what_cannot_be_a_variant_is_told_with_what_could(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        lab_with(*texts)
    assert said in f"{caught.value}"


def test_the_text_of_a_variant_is_the_argument_again() -> None:
    assert parse("a=uwsgi,UWSGI_THREADS=4,X=y=z").text == "a=uwsgi,UWSGI_THREADS=4,X=y=z"


def test_compose_learns_of_variants_by_a_file_laid_over(tmp_path: Path) -> None:
    lab = lab_with("a=uwsgi", "b=dev,PRICE=$5")
    servers = [lab.servers[name] for name in ("uwsgi", "a", "b")]
    with override.laid_over(lab, servers, {"PATH": "x"}) as environment:
        first, last = environment["COMPOSE_FILE"].split(":")
        services = json.loads(Path(last).read_text())["services"]
        mounted, _, options = services["nginx-variants"]["volumes"][0].split(":")
        assert options == "ro,z"
        assert "upstream a " in Path(mounted).read_text()
    assert first == str(ROOT / "compose.yaml")
    assert sorted(services) == ["a", "b", "nginx-variants", "nginx-variants-exporter"]
    assert services["b"]["environment"]["PRICE"] == "$$5"
    assert services["nginx-variants-exporter"]["pid"] == "service:nginx-variants"
    assert all(service["labels"]["wsgilab.run"] == "1" for service in services.values()), "a later run may find them"
    assert not any({"ports", "build", "profiles"} & set(service) for service in services.values())
    assert override.extra_services([lab.servers["b"]]) == []


def test_a_variant_may_have_an_app_of_its_own() -> None:
    app = App("/somewhere/else", image="wsgilab-app:1f2e")
    lab = add(LAB, [Variant("before", "uwsgi", app=app, about="the app of main")])
    service, server = lab.services["before"], lab.servers["before"]
    assert "/somewhere/else:/srv/app:ro,z" in service["volumes"], "nginx's sockets come with it"
    assert len(service["volumes"]) == len(lab.services["uwsgi"]["volumes"])
    over = override.compose_file(lab, [server, replace(LAB.servers["gunicorn"], app=app)], ROOT / "nginx.conf")
    assert over["services"]["before"]["image"] == over["services"]["gunicorn"]["image"] == "wsgilab-app:1f2e"
    assert set(over["services"]["gunicorn"]) == {"image", "environment"}, "the rest is compose.yaml's"
    assert server.environment["LAB_APP_DIR"] == "/srv/app", "in a container every app is there"
    assert (server.app, server.pattern) == (app, f"{LAB.servers['uwsgi'].pattern}: the app of main")
    assert "/somewhere" not in str(lab.services["uwsgi"])


def test_every_server_is_there_once_more_with_the_app_as_it_was() -> None:
    lab = lab_with("eight=gunicorn,GUNICORN_WORKERS=8")
    was = Revision("main (1f2e3d4)", "/somewhere/else", app="old:app")
    lab, servers = with_revision(lab, lab.select(["uwsgi", "eight"]), was)
    assert [server.name for server in servers] == ["uwsgi", "eight", "uwsgi-before", "eight-before"]
    before = servers[3]
    assert "-w 8 " in " ".join(before.command), "as many workers as the server that it is compared with"
    assert (before.slots, before.variant_of) == (8, "gunicorn")
    assert (before.environment["LAB_APP"], servers[1].environment["LAB_APP"]) == ("old:app", "app:app")
    assert before.pattern.endswith("the app at main (1f2e3d4)")
    assert before.app == App("/somewhere/else", revision="main (1f2e3d4)")


def test_a_server_can_be_measured_again_by_itself() -> None:
    """What an error advises: a variant needs its settings, and of a revision nothing is left."""
    lab = add(load_lab(ROOT, {}), [parse("eight=gunicorn,GUNICORN_WORKERS=8,MODE=a b")])
    _, servers = with_revision(lab, lab.select(["gunicorn", "eight"]), Revision("main (1f2e3d4)", "/was"))
    told = {server.name: again(server) for server in servers}
    assert told["gunicorn"] == told["gunicorn-before"] == "--servers gunicorn"
    assert told["eight"] == "--servers gunicorn --variant 'eight=gunicorn,GUNICORN_WORKERS=8,MODE=a b'"


def test_without_variants_compose_is_asked_as_ever() -> None:
    with override.laid_over(LAB, list(LAB.servers.values()), {"COMPOSE_FILE": "x"}) as environment:
        assert environment == {"COMPOSE_FILE": "x"}
