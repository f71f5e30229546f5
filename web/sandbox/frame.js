/* The only script of the sandbox's frame. Its hash stands in the policies of the page and of the frame
   (py/onglet_build/policy.py). Makes one worker of what the page hands over, and carries texts between
   both: few and short ones to each of the page's, so that a worker that floods never reaches it. Does nothing on a
   page with an origin. */
"use strict";
const MOST = 8, LONGEST = 12e6; // messages, characters
if (self.origin === "null") {
  addEventListener("message", ({ data, ports: [port], source }) => {
    if (source !== parent) return;
    const code = new Blob([data.code], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(code));
    let count = 0, letters = 0;
    const end = () => {
      worker.onmessage = null;
      worker.terminate();
      port.postMessage("died");
    };
    worker.onerror = end;
    worker.onmessage = ({ data: said }) => {
      letters += typeof said === "string" ? said.length : LONGEST + 1;
      if (++count > MOST || letters > LONGEST) end();
      else port.postMessage(said);
    };
    port.onmessage = ({ data: message }) => {
      count = letters = 0;
      worker.postMessage(message);
    };
    worker.postMessage(data.start, [data.start.wasm, data.start.stdlib, ...data.start.parts]);
  }, { once: true });
}
