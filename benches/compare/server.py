"""The simulated API that everybody talks to, and its door for looking inside."""

import atexit, json, os, ssl, subprocess, time
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from settings import COMPARE, DIR, IDFERRY

PLAIN = ["--faults", "none", "--limits", "none", "--latency", "0s", "--concurrent", "0"]


# Not an authority, so that it may stand for a server and be trusted by itself.
CERTIFICATE = """[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = idferry bench
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
extendedKeyUsage = serverAuth
"""


class Server:
    trust = {}  # what a client's environment must say for it to be trusted

    def __init__(self, options=PLAIN):
        self.serve([IDFERRY, "simulate", *options])

    def serve(self, command):
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        atexit.register(self.child.kill)
        words = self.child.stdout.readline().split()
        self.url = words[0]
        self.corp, self.secret = (word.split("=", 1)[1] for word in words[1:3])

    def get(self, path):
        with build_opener(ProxyHandler({}), *self.handlers()).open(self.url + path) as reply:
            return json.load(reply)

    def handlers(self):
        return ()

    def lookups(self):
        """The address of a lookup with a token that works."""
        token = self.get(f"/cgi-bin/gettoken?corpid={self.corp}&corpsecret={self.secret}")["access_token"]
        return f"{self.url}/cgi-bin/corpgroup/unionid_to_external_userid?access_token={token}"

    def lane(self):
        """What it counted of lookups."""
        lanes = self.get("/_sim/stats")["lanes"]
        return next((lane for path, lane in lanes.items() if "unionid" in path), {"calls": 0})

    def asked(self):
        return self.lane()["calls"]

    def settled(self):
        """How many calls it has had, once those of a dead process have arrived."""
        seen = None
        while (now := self.asked()) != seen:
            seen = now
            time.sleep(0.1)
        return seen

    def env(self):
        return dict(os.environ, WECOM_CORP_ID=self.corp, WECOM_CORP_SECRET=self.secret, **self.trust)

    def stop(self):
        self.child.kill()
        self.child.wait()


class TlsServer(Server):
    """The same over TLS. Its certificate is trusted the way an operator would add one: by the
    system's roots, which SSL_CERT_FILE names."""

    def __init__(self):
        self.certificate, key = os.path.join(DIR, "server.pem"), os.path.join(DIR, "server.key")
        with open("server.conf", "w") as config:
            config.write(CERTIFICATE)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-config", "server.conf", "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.trust = {"SSL_CERT_FILE": self.certificate}
        self.serve([COMPARE, "tls-serve", self.certificate, key])

    def handlers(self):
        return (HTTPSHandler(context=ssl.create_default_context(cafile=self.certificate)),)
