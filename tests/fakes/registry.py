#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry with images made in memory, most of them wrong in one way.

  registry.py serve             listen on 127.0.0.1, print the port, end with stdin
  registry.py push HOST:PORT    put the right ones into a real registry by its API

The repository's name says what is wrong.  GET /_log is what was asked so far, a line each:
"METHOD path authorization", the last "-" without one.
"""
import base64, gzip, hashlib, http.client, io, json, platform, sys, tarfile, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image."
GZIP = OCI + "layer.v1.tar+gzip"
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    def __init__(self):
        self.blobs, self.manifests, self.tags = {}, {}, {}

    def blob(self, data):
        self.blobs[sha(data)] = data
        return sha(data)


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make(layers, media=GZIP, config_type=OCI + "config.v1+json", diff=None, n_diff=None):
    """An image of the given file sets, with tag 'latest'."""
    image, descriptors, diffs = Image(), [], []
    for files in layers:
        plain = tar(files)
        packed = gzip.compress(plain, 1, mtime=0)
        diffs.append(diff or sha(plain))
        descriptors.append({"mediaType": media, "digest": image.blob(packed), "size": len(packed)})
    config = json.dumps({
        "architecture": ARCH, "os": "linux",
        "config": {"User": "101:101", "Env": ["PATH=/bin", "A=b"], "Entrypoint": ["/bin/e"],
                   "Cmd": ["c"], "WorkingDir": "/w", "StopSignal": "SIGUSR1",
                   "Volumes": {"/data": {}}},
        "rootfs": {"type": "layers", "diff_ids": diffs[:n_diff]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": {"mediaType": config_type, "digest": image.blob(config), "size": len(config)},
        "layers": descriptors}).encode()
    image.manifests[sha(manifest)] = (OCI + "manifest.v1+json", manifest)
    image.tags["latest"] = sha(manifest)
    return image


def index_of(image, arch=ARCH):
    digest = image.tags["latest"]
    size = len(image.manifests[digest][1])
    entry = {"mediaType": OCI + "manifest.v1+json", "digest": digest, "size": size}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [
        dict(entry, digest="sha256:" + "0" * 64, platform={"os": "unknown", "architecture": "unknown"}),
        dict(entry, digest="sha256:" + "1" * 64, platform={"os": "linux", "architecture": "s390x"}),
        dict(entry, platform={"os": "linux", "architecture": arch})]}).encode()
    image.manifests[sha(index)] = (OCI + "index.v1+json", index)
    image.tags["latest"] = sha(index)
    return image


BASE = {"etc/os": b"base\n", "bin/e": b"#!\n" * 1000}
BIG = {"big": hashlib.sha512(b"x").digest() * 40000}
good = make([BASE, {"etc/app": b"1\n"}, BASE])
schema1 = Image()
schema1.manifests[sha(b'{"schemaVersion":1}')] = (
    "application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion":1}')
schema1.tags["latest"] = sha(b'{"schemaVersion":1}')
IMAGES = {
    "good": good, "index": index_of(make([BASE, {"etc/idx": b"1\n"}])),
    "other": make([BASE, {"etc/other": b"1\n"}]), "moved": make([{"m": b"1"}]),
    "wrong-arch": index_of(make([{"x": b"1"}]), "z80"), "schema1": schema1,
    "bad-digest": make([{"fine": b"1"}, {"bad": b"digest" * 5000}]),
    "flipped": make([{"bad": bytes(range(256)) * 400}]),
    "truncated": make([BIG]), "cut": make([BIG]), "longer": make([{"l": b"1"}]),
    "slow": make([{"s": hashlib.sha512(b"s").digest() * 3000}]),
    "bad-type": make([{"t": b"1"}], media="application/vnd.erofs.layer.v1"),
    "artifact": make([{"t": b"1"}], config_type="application/vnd.example+json"),
    "wrong-diff": make([{"w": b"1"}], diff="sha256:" + "5" * 64),
    "diff-count": make([{"n": b"1"}, {"n": b"2"}], n_diff=1),
    "no-tar": make([{"z": b"1"}]), "many": make([{}] * 501),
    "flaky": make([{"f": b"1"}]), "token": make([{"k": b"1"}]), "basic": make([{"b": b"1"}]),
    "redirect": make([{"r": b"1"}]), "secret": make([{"s": b"1"}]), "busy": make([{"y": b"1"}]),
    "broken": make([{"x": b"1"}]), "drip": make([{"d": hashlib.sha512(b"d").digest() * 3000}]),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock, log, counts = threading.Lock(), [], {}

    def log_message(self, *_):
        pass

    def times(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def answer(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        if length is not None:
            self.wfile.flush()
            self.close_connection = True

    def refuse(self, repo):
        """Whether a 401 was sent."""
        authorization = self.headers.get("Authorization")
        port = self.server.server_address[1]
        if repo == "token" and authorization != "Bearer t0k3n":
            self.answer(401, WWW_Authenticate='Bearer realm="http://127.0.0.1:%d/_token",'
                        'service="reg, istry",scope="x"' % port)
            return True
        if repo in ("basic", "secret") and authorization != BASIC:
            self.answer(401, WWW_Authenticate='Basic realm="x"')
            return True
        return False

    def give_token(self):
        if self.headers.get("Authorization") != BASIC:
            return self.answer(401)
        self.answer(200, b'{"token":"t0k3n"}', Content_Type="application/json")

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/_log":
            return self.answer(200, "\n".join(self.log).encode())
        with self.lock:
            self.log.append("GET %s %s" % (self.path, self.headers.get("Authorization", "-")))
        if path == "/_token":
            return self.give_token()
        parts = path.strip("/").split("/")
        if len(parts) != 4 or parts[0] not in ("v2", "blobs") or parts[1] not in IMAGES:
            return self.answer(404)
        repo, kind, name = parts[1:]
        if parts[0] == "v2" and self.refuse(repo):
            return None
        if kind == "manifests":
            return self.manifest(repo, IMAGES[repo], name)
        return self.blob(repo, IMAGES[repo], name, parts[0] == "v2")

    def manifest(self, repo, image, name):
        if repo == "flaky" and self.times("flaky") < 3:
            return self.answer(503, b"later")
        if repo == "broken":
            return self.answer(500, b"no")
        if repo == "busy":
            return self.answer(503, b"closed")
        if repo == "moved" and self.times("moved") > 1 and name == "latest":
            image, name = IMAGES["other"], "latest"
        if repo == "moved" and name not in image.manifests:
            image = IMAGES["other"] if name in IMAGES["other"].manifests else image
        digest = image.tags.get(name, name)
        if digest not in image.manifests:
            return self.answer(404)
        media, body = image.manifests[digest]
        return self.answer(200, body, Content_Type=media)

    def blob(self, repo, image, name, api):
        if repo == "moved" and name not in image.blobs:
            image = IMAGES["other"]
        body = image.blobs.get(name)
        if body is None:
            return self.answer(404)
        if body[:1] == b"{":
            return self.answer(200, body)
        if repo in ("redirect", "secret") and api:
            # "localhost" is another host than "127.0.0.1"
            return self.answer(302, Location="http://localhost:%d/blobs/%s/blobs/%s"
                               % (self.server.server_address[1], repo, name))
        return self.layer(repo, name, body)

    def layer(self, repo, name, body):
        start = 0
        if self.headers.get("Range"):
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
        status, body = (206 if start else 200), body[start:]
        if repo == "bad-digest" and len(body) > 150:
            body = gzip.compress(tar({"bad": b"other!" * 5000}), 1, mtime=0)[:len(body)].ljust(len(body), b"\0")
        elif repo == "flipped":
            body = body[:200] + bytes([body[200] ^ 255]) + body[201:]
        elif repo == "no-tar":
            body = b"x" * len(body)
        elif repo == "longer":
            body += b"more"
        elif repo == "truncated":
            return self.answer(status, body[:len(body) // 2 if start == 0 else 0], len(body))
        elif repo == "cut" and self.times("cut") < 3:
            return self.answer(status, body[:max(1, len(body) // 2)], len(body))
        elif repo == "slow" or (repo == "drip" and self.headers["Host"].startswith("localhost")):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for i in range(len(body)):
                self.wfile.write(body[i:i + 1])
                time.sleep(0.05)
            return None
        return self.answer(status, body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that are killed in the middle are part of the tests


def put(connection, path, body, media):
    connection.request("PUT", path, body, {"Content-Type": media})
    answer = connection.getresponse()
    answer.read()
    if answer.status // 100 != 2:
        sys.exit("PUT %s: status %d" % (path, answer.status))


def push(where):
    host, port = where.split(":")
    for repo in ("good", "other"):
        image, c = IMAGES[repo], http.client.HTTPConnection(host, int(port))
        for digest, body in image.blobs.items():
            c.request("POST", "/v2/%s/blobs/uploads/" % repo)
            answer = c.getresponse()
            answer.read()
            to = answer.headers["Location"].split("//", 1)[-1].split("/", 1)[1]
            put(c, "/%s%sdigest=%s" % (to, "&" if "?" in to else "?", digest), body,
                "application/octet-stream")
        for digest, (media, body) in image.manifests.items():
            put(c, "/v2/%s/manifests/latest" % repo, body, media)


def serve():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write("%d\n" % server.server_address[1])
    sys.stdout.flush()
    sys.stdin.read()


if sys.argv[1:2] == ["serve"]:
    serve()
elif sys.argv[1:2] == ["push"] and len(sys.argv) == 3:
    push(sys.argv[2])
else:
    sys.exit(__doc__)
