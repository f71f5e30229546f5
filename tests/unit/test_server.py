"""The headers of the site, and the small server behind serve, ask, bench and the browser tests."""

import contextlib
import http.client

import pytest

from onglet_build import policy, serve
from onglet_build.loopback import Loopback


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "index.html").write_text("<p>hello")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/part.wasm").write_bytes(bytes(range(100)))
    (tmp_path.parent / "secret.txt").write_text("secret")
    return tmp_path


@pytest.fixture
def server(folder):
    with Loopback({"/some/where/": folder}, headers=policy.HEADERS) as running:
        yield running


def get(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response, response.read()


def test_serves_the_index_of_a_sub_folder_with_all_headers(server):
    response, body = get(server, "/some/where/")
    assert (response.status, body) == (200, b"<p>hello")
    for name, value in policy.HEADERS.items():
        assert response.getheader(name) == value


def test_wasm_has_its_type_and_ranges_work(server):
    response, body = get(server, "/some/where/deep/part.wasm", Range="bytes=10-19")
    assert response.status == 206
    assert response.getheader("Content-Type") == "application/wasm"
    assert response.getheader("Content-Range") == "bytes 10-19/100"
    assert body == bytes(range(10, 20))


def test_head_sends_no_body(server):
    response, body = get(server, "/some/where/deep/part.wasm", method="HEAD")
    assert (response.getheader("Content-Length"), body) == ("100", b"")


@pytest.mark.parametrize("path", ["/", "/some/where/none", "/some/where/../secret.txt"])
def test_nothing_outside_the_folder(server, path):
    response, body = get(server, path)
    assert (response.status, body) == (404, b"")


def test_a_plain_host_sends_none_of_our_headers(folder):
    with Loopback({"/": folder}) as plain:
        response, _ = get(plain, "/")
    assert not set(policy.HEADERS) & set(dict(response.getheaders()))


def test_requests_are_logged(server):
    get(server, "/some/where/index.html?x=1")
    assert server.log[-1] == ("GET", "/some/where/index.html?x=1", 200)


def test_serve_takes_the_next_free_port(folder, monkeypatch):
    monkeypatch.setattr(serve, "DIST", folder)
    with Loopback({"/": folder}) as taken:
        found = serve.first_free(taken.port, {})
        found.stop()
    assert found.port > taken.port


def test_policy_has_no_eval_and_no_other_host():
    assert "'unsafe-eval'" not in policy.CONTENT_SECURITY_POLICY
    assert "http" not in policy.CONTENT_SECURITY_POLICY
    assert "connect-src 'self';" in policy.CONTENT_SECURITY_POLICY


def test_headers_file_names_every_header():
    text = policy.headers_file()
    for name, value in policy.HEADERS.items():
        assert f"  {name}: {value}\n" in text
