/**
 * Reads what can still be read of a damaged database, row by row. First with the seal of each page
 * checked; then, for the rows that are missing, without: where a byte was flipped a letter is wrong,
 * not the page. Changes nothing.
 */
import { Database } from "./database.js";

const BATCH = 200; // rows a statement, while nothing is wrong
const LAST = 2 ** 31; // no row has a greater number

/** @typedef {Map<number, any[]>} Found the values of each row by its number */
/** @typedef {{rows: Record<string, any[][]>, unsure: Record<string, number[]>}} Rescued */

/**
 * @param {string} file @param {string} key
 * @param {Record<string, string[]>} tables name -> columns
 * @returns {Promise<Rescued>} the rows of each table in order, and the places there of those that
 *   come from pages whose seal is broken
 */
export async function rescue(file, key, tables) {
  const sealed = await readAll(file, key, tables, true);
  const all = await readAll(file, key, tables, false);
  /** @type {Rescued} */ const rescued = { rows: {}, unsure: {} };
  for (const table of Object.keys(tables)) {
    const found = new Map([...all[table], ...sealed[table]]);
    const numbers = [...found.keys()].sort((one, other) => one - other);
    rescued.rows[table] = numbers.map((number) => /** @type {any[]} */ (found.get(number)));
    rescued.unsure[table] = numbers.flatMap((number, place) => (sealed[table].has(number) ? [] : [place]));
  }
  return rescued;
}

/**
 * @param {string} file @param {string} key @param {Record<string, string[]>} tables @param {boolean} sealed
 * @returns {Promise<Record<string, Found>>}
 */
async function readAll(file, key, tables, sealed) {
  const database = await Database.toRescue(file, key, sealed);
  try {
    const names = Object.entries(tables);
    return Object.fromEntries(names.map(([table, columns]) => [table, rowsOf(database, table, columns)]));
  } finally {
    database.close();
  }
}

/**
 * Reads forward to a damaged place, looks behind it in growing steps, and back from there.
 * @param {Database} database @param {string} table @param {string[]} columns @returns {Found}
 */
function rowsOf(database, table, columns) {
  /** @type {Found} */ const found = new Map();
  const known = attempt(database, `SELECT name FROM pragma_table_info('${table}')`, [])?.flat();
  const there = columns.map((name) => (known && !known.includes(name) ? "NULL" : name)); // an older store
  const names = `SELECT rowid, ${there.join()} FROM ${table}`;
  const forward = `${names} WHERE rowid >= ? ORDER BY rowid LIMIT ?`;
  const back = `${names} WHERE rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`;
  const take = (/** @type {any[][]} */ rows) => {
    for (const [number, ...values] of rows) found.set(number, values);
    return rows.length ? rows[rows.length - 1][0] : null; // the number of the last one
  };
  for (let next = 0; next < LAST;) {
    const rows = attempt(database, forward, [next, BATCH]) ?? attempt(database, forward, [next, 1]);
    if (rows) {
      const last = take(rows);
      if (last === null) break;
      next = Math.max(next, last) + 1; // a damaged page may hold any number: it only ever goes on
      continue;
    }
    let behind;
    for (let step = 1; step < LAST && !behind; step *= 2) behind = attempt(database, forward, [next + step, 1]);
    const after = (behind && take(behind)) ?? LAST;
    for (let end = after; end > next;) {
      const before = attempt(database, back, [next, end, BATCH]) ?? attempt(database, back, [next, end, 1]);
      const first = before ? take(before) : null;
      if (first === null) break;
      end = Math.min(end - 1, first);
    }
    next = after + 1;
  }
  return found;
}

/** @param {Database} database @param {string} sql @param {any[]} bound @returns {any[][] | undefined} */
function attempt(database, sql, bound) {
  try {
    return database.run([[sql, bound]], null)[0];
  } catch {
    return undefined; // a damaged page, or no such table
  }
}
