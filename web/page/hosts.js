/**
 * Which other hosts a person has approved, for what, and since when. Without the page's word, and
 * the service worker's, the library's worker reaches nobody. Each request is in the ledger.
 */
import { askWorker } from "./isolation.js";
import { note } from "./observe.js";

const APPROVED = "onglet.hosts";

/** @typedef {{leads: string[], at: number}} Approval `leads`: names to which the host may pass a request on */

/** @returns {Record<string, Approval>} by host */
export function approvals() {
  try {
    return JSON.parse(localStorage.getItem(APPROVED) ?? "{}");
  } catch {
    return {};
  }
}

/** @param {{host: string, leads: string[]}} wanted */
export async function approve({ host, leads }) {
  save({ ...approvals(), [host]: { leads, at: Date.now() } });
}

/** @param {{host: string}} which */
export async function revoke({ host }) {
  const { [host]: _, ...rest } = approvals();
  save(rest);
}

function save(/** @type {Record<string, Approval>} */ hosts) {
  localStorage.setItem(APPROVED, JSON.stringify(hosts));
}

/**
 * Answers the library's worker before each request, and after one that was led elsewhere: then the
 * browser has asked already, and what came is used only if the person knew of that host.
 * @param {{host: string, from: string | null, bytes: number}} request `from`: the host that led there
 * @returns {Promise<{refused?: string}>}
 */
export async function gate({ host, from, bytes }) {
  const approval = approvals()[from ?? host];
  if (!approval) return { refused: "host_unasked" };
  const guard = navigator.serviceWorker?.controller;
  if (!guard) return { refused: "no_guard" };
  if (from === null) {
    const { passes } = await askWorker(guard, { kind: "let_through", host });
    if (!passes) return { refused: "sealed" };
  }
  const known = from === null || approval.leads.some((name) => host === name || host.endsWith(`.${name}`));
  note({ host, why: "model", bytes, approved: known ? approval.at : null });
  return known ? {} : { refused: "host_led" };
}
