// @ts-check
const channel = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** Lets the worker read its messages. Never setTimeout: hidden pages slow it down to seconds. */
export function turn() {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  }));
}
