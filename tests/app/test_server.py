"""The explorer answers this machine only, and bounds what it takes."""

import socket

import pytest
from dva_lens.app import server
from dva_lens.app.guard import HOST
from dva_lens.app.server import check_port, create_app, serve
from waitress.task import ThreadedTaskDispatcher

from dva_lens.results.schema import ArchiveError


@pytest.mark.parametrize("host", ["localhost:8050", "127.0.0.1"])
def test_this_machine_is_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1].evil"])
def test_other_names_are_not(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 400


def test_browsers_are_told_to_load_only_from_here(client):
    headers = client.get("/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_its_language_and_loads_nothing_from_elsewhere(client):
    text = client.get("/").get_data(as_text=True)
    assert '<html lang="en">' in text
    assert 'src="http' not in text
    assert 'href="http' not in text


def test_a_large_body_is_refused(client):
    answer = client.post(
        "/_dash-update-component", data=b"x" * (2 << 20), content_type="application/json"
    )
    assert answer.status_code in (400, 413)


@pytest.mark.parametrize("path", ["/assets/../server.py", "/assets/%2e%2e/server.py"])
def test_no_path_leads_out_of_the_assets(client, path):
    answer = client.get(path)
    assert b"create_app" not in answer.data


def test_debugging_and_tool_servers_are_off(app):
    assert not app.server.debug
    assert not any("mcp" in rule.rule for rule in app.server.url_map.iter_rules())


def test_two_explorers_live_in_one_process(app, folder):
    other = create_app(folder)
    assert other is not app
    assert set(other.callback_map) == set(app.callback_map)


def test_a_busy_port_is_one_sentence(app):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"^Port {port} is busy.*--port {port + 1}"):
            serve(app, port)


def test_calls_that_wait_are_no_lines_on_the_terminal(app, monkeypatch, caplog):
    class Full:
        def run(self):
            ThreadedTaskDispatcher.queue_logger.warning("Task queue depth is %d", 9)
            ThreadedTaskDispatcher.queue_logger.error("out of threads")

        def close(self):
            pass

    monkeypatch.setattr(server, "create_server", lambda *_, **__: Full())
    monkeypatch.setattr(server, "check_port", lambda port: None)
    serve(app, 8050)
    assert caplog.messages == ["out of threads"]


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_an_impossible_port_is_refused(port):
    with pytest.raises(ValueError, match=f"between 1 and 65535, got {port}"):
        check_port(port)


def test_a_folder_without_an_archive_is_refused(tmp_path):
    with pytest.raises(ArchiveError):
        create_app(tmp_path)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/heads/x", "/_dash-component-suites/os/path.py", "/_dash-nothing"]
)
def test_what_is_not_there_is_404(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Traceback" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/", "/heads", "/heads/", "/tokens?layer=1"])
def test_what_is_there_is_not(client, path):
    assert client.get(path).status_code == 200
