/**
 * The first module that runs: takes away the one thing a policy does not stop from reaching
 * another machine (facts/browser.md section 2).
 */
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) {
  Object.defineProperty(globalThis, name, { value: undefined, configurable: false });
}
