/** The theme a person sees first: the one chosen before, else the system's. */

/** @param {import("./mount.js").StartMessage} start */
export function isDark({ facts, settings }) {
  return settings.theme ? settings.theme === "dark" : facts.dark;
}
