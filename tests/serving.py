"""`cvtune serve` in a process of its own, and requests to it over real connections."""

import http.client
import json
import re
import socket
import subprocess
import sys

BOUNDARY = "frontier"


class Running:
    """A server in a process of its own."""

    def __init__(self, folder, *options):
        command = [sys.executable, "-m", "cvtune_nb", "serve", str(folder), "--port", "0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+) ", line)
        assert found, line + self.process.stderr.read()
        self.port = int(found[1])

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, **headers):
        """Status, headers and value of one request on a connection of its own."""
        connection = self.connection()
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get("content-type", "")
        return answer.status, answer.headers, json.loads(content) if "json" in kind else content.decode()

    def raw(self, content, wait=5.0):
        """What comes back for these very bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as plug:
            plug.sendall(content)
            found = b""
            try:
                while part := plug.recv(65536):
                    found += part
                    if b"\r\n\r\n" in found:
                        break
            except TimeoutError:
                pass
        return found

    def end(self):
        self.process.terminate()
        _, words = self.process.communicate(timeout=60)
        return self.process.returncode, words


def form(*files, field="photos"):
    """A multipart body; files: (name, content)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


MULTIPART = {"content_type": f"multipart/form-data; boundary={BOUNDARY}"}
