/** Events for Python, in order; those before it is awake wait. Knows none of them by name. */
export class Events {
  constructor(/** @type {Worker} */ app) {
    this.app = app;
    /** @type {[object, Transferable[]][] | null} */
    this.waiting = [];
  }

  send(/** @type {string} */ name, /** @type {any} */ value, /** @type {Transferable[]} */ moved = []) {
    const message = { kind: "event", name, value };
    if (this.waiting) this.waiting.push([message, moved]);
    else this.app.postMessage(message, moved);
  }

  release() {
    for (const [message, moved] of this.waiting ?? []) this.app.postMessage(message, moved);
    this.waiting = null;
  }
}
