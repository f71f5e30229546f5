/**
 * The look that all own components share. Colours come from static/index.html (custom properties
 * reach into shadow roots), sizes and shapes are here.
 */
const COMMON = `
  :host { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); }
  *, *::before, *::after { box-sizing: border-box; }
  [hidden] { display: none !important; }
  .icon { width: 20px; height: 20px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.6;
          stroke-linecap: round; stroke-linejoin: round; pointer-events: none; }
  .icon-more { stroke-width: 2.6; }
  .icon-stop { fill: currentColor; }
  button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
  button:disabled { cursor: default; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 10px; }
  .heard-only { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
                clip-path: inset(50%); white-space: nowrap; }
  .square { width: 40px; height: 40px; display: grid; place-items: center; border-radius: 10px;
            color: var(--muted); }
  .square:hover { color: var(--ink); background: var(--hover); }
  .text-button { padding: 6px 12px; min-height: 36px; border: 1px solid var(--edge); border-radius: 10px;
                 background: var(--paper); }
  .text-button:hover { background: var(--hover); }
  @media (pointer: coarse) {
    .square { width: 44px; height: 44px; }
    .text-button { min-height: 44px; }
  }
  @media (prefers-reduced-motion: reduce) {
    *, *::before, *::after { animation: none !important; transition: none !important; }
  }
`;

/** A style element for a component's shadow root: the shared look and its own. */
export function styled(/** @type {string} */ own) {
  const style = document.createElement("style");
  style.textContent = COMMON + own;
  return style;
}
