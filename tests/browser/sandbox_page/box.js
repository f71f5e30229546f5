/** A host of sandboxes beside the app's own, for sandbox_driver.py; and what a program could read. */
const site = JSON.parse(document.getElementById("site").textContent);
const { SandboxHost } = await import(new URL(`${site.code}page/sandbox.js`, document.baseURI));
globalThis.box = new SandboxHost();
globalThis.heard = [];
globalThis.outcomes = {};
globalThis.begin = (id, program) => {
  const began = performance.now();
  box.run(JSON.parse(program)).then((outcome) => {
    outcomes[id] = JSON.stringify({ ...outcome, seconds: (performance.now() - began) / 1000 });
  });
};
globalThis.warm = () => box.spare?.then(({ awake }) => awake).then(() => (globalThis.isWarm = true));
addEventListener("message", ({ data }) => heard.push(data));
new BroadcastChannel("escape").addEventListener("message", ({ data }) => heard.push(data));
for (const place of [localStorage, sessionStorage]) place.setItem("secret", "s3cret");
document.cookie = "secret=s3cret";
indexedDB.open("secret");
await caches.open("s3cret");
globalThis.prepared = true;
