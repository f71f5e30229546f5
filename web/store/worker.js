/**
 * The door of the store. Each tab has such a worker; the one that holds the Web Lock has the
 * database open, the others pass on what they are asked. When it dies the next one takes over and
 * gets again what nobody answered: a batch carries an id, so nothing is done twice.
 */
import { Failure } from "../files/failure.js";
import { seal, unseal } from "./sealed_file.js";
import { sealLink, unsealLink } from "./sealed_link.js";
import { Vault } from "./vault.js";

const LOCK = "onglet-store";
const CHANNEL = "onglet-store";
const LOOKS = 5000; // milliseconds between two looks whether all is still there

const vault = new Vault();
const me = crypto.randomUUID?.() ?? String(Math.random());
/** @type {BroadcastChannel | null} */ let others = null;
/** @type {Map<string, any>} asked here, not answered yet */ const waiting = new Map();
let leading = false;
/** @type {string | null} the key as the tab that leads told it */ let told = null;
/** @type {string | null} */ let leader = null;
let order = Promise.resolve();

self.onmessage = ({ data }) => {
  if (data.kind === "start") start(data).catch((error) => say({ kind: "state", state: broken(error) }));
  else if (data.kind === "ask") ask(data);
};

async function start(/** @type {{lock: string}} */ { lock }) {
  navigator.locks?.request(lock, () => {
    say({ kind: "alive", lock });
    return new Promise(() => {});
  });
  if (!(await Vault.canKeep())) {
    await vault.openInMemory();
    return begin();
  }
  others = new BroadcastChannel(CHANNEL);
  others.onmessage = ({ data }) => hear(data);
  navigator.locks.request(LOCK, () => lead());
  tellOthers({ kind: "who" });
}

/** Never resolves: the lock is held until this worker ends. */
async function lead() {
  try {
    await vault.open(told);
    begin();
  } catch (error) {
    say({ kind: "state", state: broken(error) });
  }
  return new Promise(() => {});
}

function begin() {
  leading = true;
  announce();
  for (const request of waiting.values()) serve(request, (answer) => settle(answer));
  setInterval(() => serve({ request: { kind: "look" } }, () => {}), LOOKS);
}

/** @param {any} request with `id`, `kind`-specific fields in `request` */
function ask(request) {
  waiting.set(request.id, request);
  if (leading) serve(request, settle);
  else tellOthers({ kind: "ask", from: me, request });
}

function settle(/** @type {any} */ answer) {
  if (waiting.delete(answer.id)) say({ kind: "answer", ...answer });
}

/** One after the other. @param {any} request @param {(answer: any) => void} reply */
function serve(request, reply) {
  order = order.then(async () => {
    const { id } = request;
    const { phase } = vault;
    try {
      const name = /** @type {keyof ACTS} */ (request.request.kind);
      if (!Object.hasOwn(ACTS, name)) throw new Failure("unknown", { code: String(name) });
      reply({ id, value: (await ACTS[name](request.request, id)) ?? null });
    } catch (error) {
      reply({ id, error: failure(error) });
      if (vault.phase !== phase) announce();
    }
  });
}

/** @type {Record<string, (request: any, id: string) => any>} */
const ACTS = {
  state: () => vault.state,
  read: ({ statements }) => vault.run(statements, null),
  write: async ({ statements }, id) => {
    try {
      vault.run(statements, id);
    } finally {
      await vault.confirm();
    }
    changed();
  },
  look: () => vault.look(),
  lock: () => turned(vault.lock()),
  unlock: async ({ passphrase }) => turned(await vault.unlock(passphrase)),
  protect: async ({ passphrase, current }) => turned(await vault.protect(passphrase, current)),
  recovery_code: () => vault.recoveryCode(),
  recover: async ({ code }) => turned(await vault.recover(code)),
  rescue: ({ tables }) => vault.rescue(tables),
  rebuild: async ({ statements, passphrase }) => {
    const state = turned(await vault.rebuild(statements, passphrase));
    changed();
    return state;
  },
  wipe: async () => {
    turned(await vault.wipe());
    changed();
  },
  usage: () => vault.usage(),
  seal: ({ text, passphrase }) => seal(text, passphrase),
  unseal: ({ file, passphrase }) => unseal(file, passphrase),
  seal_link: ({ letters, passphrase }) => sealLink(letters, passphrase),
  unseal_link: ({ closed, key, passphrase }) => unsealLink(closed, { key, passphrase }),
};

function turned(/** @type {void} */ _) {
  announce();
  return vault.state;
}

/** Whoever follows may have to take over: it gets the key while the store is open. */
function announce() {
  say({ kind: "state", state: vault.state });
  tellOthers({ kind: "leading", leader: me, state: vault.state, key: vault.key });
}

function changed() {
  tellOthers({ kind: "changed" });
}

function hear(/** @type {any} */ message) {
  if (message.kind === "changed") return say({ kind: "changed" });
  if (leading && message.kind === "who") announce();
  if (leading && message.kind === "ask") {
    serve(message.request, (answer) => tellOthers({ kind: "answer", to: message.from, answer }));
    if (message.request.request.kind === "write") order = order.then(() => say({ kind: "changed" }));
  }
  if (leading) return;
  if (message.kind === "answer" && message.to === me) settle(message.answer);
  if (message.kind === "leading") {
    told = message.key;
    say({ kind: "state", state: message.state });
    if (leader === message.leader) return;
    leader = message.leader; // a new one: it has heard of nothing that waits here
    for (const request of waiting.values()) tellOthers({ kind: "ask", from: me, request });
  }
}

const tellOthers = (/** @type {object} */ message) => others?.postMessage(message);
const say = (/** @type {object} */ message) => self.postMessage(message);

/** @param {unknown} error */
function failure(error) {
  if (error instanceof Failure) return { code: error.code, values: error.values };
  return { code: "unknown", values: { code: String(error) } };
}

const broken = (/** @type {unknown} */ error) => ({ ...vault.state, phase: "broken", reason: String(error) });
