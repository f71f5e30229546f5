// @ts-check
/**
 * Compares a request with the table that is generated from `py/onglet/engine/messages.py`, so that
 * a difference between the two sides shows at the door. Knows nothing about what requests do.
 */
import { REQUESTS as TABLE } from "./messages.js";

/** @type {Record<string, Record<string, any>>} */
const REQUESTS = TABLE;

/** @type {Record<string, (value: any) => boolean>} */
const IS = {
  integer: Number.isSafeInteger,
  number: (value) => typeof value === "number",
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  bytes: (value) => value instanceof ArrayBuffer,
  array: Array.isArray,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/**
 * @param {Record<string, any>} message
 * @returns {string|null} what is wrong with it
 */
export function checkRequest(message) {
  const fields = Object.hasOwn(REQUESTS, message?.kind) && REQUESTS[message.kind];
  if (!fields) return `no request of kind ${message?.kind}`;
  const wrong = Object.keys(fields).filter((name) => !fits(fields[name], message[name]));
  return wrong.length ? `${message.kind}: wrong ${wrong.join(", ")}` : null;
}

/**
 * @param {string|Record<string, any>} type a name, `?` behind it when null will do, or fields
 * @param {any} value
 * @returns {boolean}
 */
function fits(type, value) {
  if (typeof type !== "string") {
    return IS.object(value) && Object.keys(type).every((name) => fits(type[name], value[name]));
  }
  const optional = type.endsWith("?");
  if (optional && (value === null || value === undefined)) return true;
  return IS[optional ? type.slice(0, -1) : type](value);
}
