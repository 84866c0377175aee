"""Servers are started, asked, and leave nothing behind."""

import sys

import psutil
import pytest

from benchmarks import peers
from benchmarks.answers import GivenAnswer
from benchmarks.checkpoints import Size, model_set
from benchmarks.peers import MissingPeer, peer
from benchmarks.servers import ROOT, RunningServer, Server, StartFailed
from benchmarks.service import threads

ANSWERS = """
import http.server, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        Handler.asked += 1
        self.send_response(200 if Handler.asked > 2 else 503)
        self.end_headers()
        self.wfile.write(b'{"code": "ok", "probabilities": {"male": 1.0}}' if Handler.asked > 3 else b'{"code": "no_person"}')
    def log_message(self, *arguments): pass
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
FAKE = Server("fake", [sys.executable, "-c", ANSWERS, "{port}"])


def test_the_first_right_answer_ends_the_wait_and_every_process_ends_with_the_block() -> None:
    with RunningServer(FAKE) as running:
        seconds = running.wait_for_first_answer(b"photo", lambda answer: answer == GivenAnswer("ok", {"male": 1.0}))
        family = running.family()
        assert seconds > 0
        assert len(family) == 2
        assert running.memory_mb() > 1
        assert running.cpu_seconds() > 0
        assert running.batches() == {}
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def test_a_server_that_ends_is_not_waited_for_and_its_words_are_passed_on() -> None:
    with (
        RunningServer(Server("broken", [sys.executable, "-c", "raise SystemExit('no such model')"])) as running,
        pytest.raises(StartFailed, match="no such model"),
    ):
        running.wait_for_first_answer(b"photo", lambda _: True)


def test_a_peer_that_is_not_installed_says_so() -> None:
    models = model_set(Size.EMBEDDED, ROOT)
    with pytest.raises(MissingPeer, match="make bench PEERS=1"):
        peer("BentoML", models, 2, ROOT / "no-such-folder" / "python")
    servers, reasons = peers.peers(models, 2, ROOT / "no-such-folder" / "python")
    assert (servers, len(reasons)) == ([], len(peers.PEERS))


def test_the_bare_loop_gets_the_threads_of_the_config() -> None:
    assert threads() >= 1
