/** The shapes of the conversation. */
export const CHAT_STYLE = `
  :host { height: 100%; min-height: 0; }
  .whole { display: flex; flex-direction: column; height: 100%; min-height: 0; }
  .column { width: 100%; max-width: 792px; margin: 0 auto; padding: 0 16px; }
  .grow { flex: 1; min-width: 0; }
  .transcript { position: relative; flex: 1; min-height: 0; }
  .scroll { height: 100%; overflow: hidden auto; overscroll-behavior: contain; }
  .scroll:focus-visible { outline-offset: -3px; }
  .turns { padding-top: 20px; padding-bottom: 12px; }
  .turns.empty { min-height: 100%; display: grid; align-content: center; }

  .welcome { display: grid; padding-bottom: 4vh; }
  .welcome > .icon { width: 44px; height: 44px; color: var(--accent); stroke-width: 1.2; }
  .sentence { font-size: 20px; line-height: 1.4; margin: 14px 0 34px; max-width: 34em; text-wrap: pretty; }
  .welcome h2 { font-size: 14px; font-weight: 600; color: var(--muted); margin: 0 0 10px; }
  .tries { display: grid; grid-template-columns: 1fr 1fr; gap: 10px; }
  .try { display: grid; align-content: start; gap: 2px; text-align: left; padding: 12px 14px; min-height: 44px;
         border: 1px solid var(--line); border-radius: 10px; background: var(--raised); }
  .try:hover { border-color: var(--edge); background: var(--hover); }
  .try strong { font-weight: 600; }
  .try span { color: var(--muted); font-size: 14px; line-height: 1.45; overflow: hidden; display: -webkit-box;
              -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
  .note { font-size: 14px; color: var(--muted); margin: 14px 0 0; max-width: 44em; text-wrap: pretty; }

  .turn { margin: 0 0 8px; overflow-wrap: anywhere; }
  .question { display: grid; justify-items: end; margin-bottom: 4px; }
  .question .text { max-width: min(85%, 40em); padding: 9px 14px; border-radius: 10px; white-space: pre-wrap;
                    background: var(--hover); border: 1px solid var(--line); }
  .answer .text > .block:first-child > :first-child { margin-top: 0; }
  .block > * { margin: 0 0 12px; }
  .block h1 { font-size: 25px; } .block h2 { font-size: 20px; } .block h3, .block h4 { font-size: 16px; }
  .block :is(h1, h2, h3, h4, h5, h6) { line-height: 1.3; margin: 20px 0 8px; }
  .block :is(ul, ol) { padding-left: 24px; }
  .block li > p { margin: 0 0 6px; }
  .block li + li { margin-top: 4px; }
  .block blockquote { margin-left: 0; padding-left: 14px; border-left: 3px solid var(--line); color: var(--muted); }
  .block hr { border: 0; border-top: 1px solid var(--line); margin: 20px 0; }
  .block a { color: var(--accent); }
  .block .address { color: var(--muted); font-size: 14px; }
  .block code { font: 14px/1.5 ui-monospace, monospace; }
  .block :not(pre) > code { background: var(--hover); border-radius: 5px; padding: 1px 5px; }
  .block table { display: block; overflow-x: auto; border-collapse: collapse; font-size: 15px; }
  .block :is(th, td) { border-bottom: 1px solid var(--line); padding: 6px 14px 6px 0; text-align: left; }
  .code { border: 1px solid var(--line); border-radius: 10px; background: var(--raised); overflow: hidden; }
  .code .head { display: flex; align-items: center; justify-content: space-between; padding: 0 2px 0 14px;
                color: var(--muted); font-size: 13px; border-bottom: 1px solid var(--line); }
  @media (pointer: fine) { .code .head .square { height: 36px; } }
  .code .icon { width: 17px; height: 17px; }
  .code pre { margin: 0; padding: 12px 14px; overflow-x: auto; }

  .thoughts { margin: 0 0 12px; color: var(--muted); font-size: 14px; }
  .thoughts summary { cursor: pointer; min-height: 32px; line-height: 32px; width: fit-content; border-radius: 5px; }
  @media (pointer: coarse) { .thoughts summary { line-height: 44px; } }
  .thoughts summary:hover { color: var(--ink); }
  .thought { white-space: pre-wrap; padding: 2px 0 2px 14px; border-left: 3px solid var(--line); line-height: 1.5; }
  .step .thoughts { margin: 0 0 4px; }
  .steps { margin: 0 0 10px; }
  .artifact { display: block; width: 100%; height: 420px; border: 0; background: #FFF; }
  .code .actions { margin: 0 0 0 auto; }
  .figure { display: block; max-width: 100%; height: auto; margin: 4px 0 10px; border: 1px solid var(--line); border-radius: 10px; background: #FFF; }
  .step-label { font-size: 13px; }
  .step pre { font: 14px/1.5 ui-monospace, monospace; color: var(--ink); margin: 0 0 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
  .asks { border: 1px solid var(--edge); border-radius: 10px; padding: 10px 12px; margin: 4px 0 10px; }
  .asks p { margin: 0 0 8px; }
  .asks .actions { display: flex; flex-wrap: wrap; gap: 8px; }
  p.waiting { color: var(--muted); margin: 0; animation: breathe 1.6s ease-in-out infinite; }
  .reason { color: var(--muted); font-size: 14px; margin: 0 0 4px; }
  .remark { color: var(--accent); font-size: 14px; margin: 0 0 2px; }
  @keyframes breathe { 50% { opacity: .5; } }
  .turn footer { display: flex; align-items: center; gap: 2px; height: 32px; margin-left: -9px; color: var(--muted);
                 transition: opacity .12s; }
  .question footer { margin: 2px -6px 0 0; }
  .turn footer .square { flex: none; width: 34px; height: 32px; }
  .turn footer .icon { width: 17px; height: 17px; }
  .meta { font-size: 13px; padding-left: 8px; font-variant-numeric: tabular-nums; }
  @media (hover: hover) {
    .turn:not(.last) footer, .question footer { opacity: 0; }
    .turn:is(:hover, :focus-within) footer { opacity: 1; }
  }
  @media (pointer: coarse) { .turn footer { height: 44px; } .turn footer .square { width: 44px; height: 44px; } }

  .problem { border: 1px solid var(--wrong); border-radius: 10px; padding: 12px 14px; margin: 4px 0 8px; }
  .problem strong { color: var(--wrong); }
  .problem p { margin: 2px 0 0; }
  .actions { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 10px; }

  .branch { display: flex; align-items: center; font-size: 13px; font-variant-numeric: tabular-nums; }
  .turn footer .branch .square { width: 28px; }
  .branch .square:disabled { opacity: .35; }
  .turn footer .text-button { font-size: 14px; min-height: 32px; padding: 2px 12px; margin: 0 6px; color: var(--ink); }
  .turn:has([data-key=go_on]) footer { height: auto; min-height: 40px; flex-wrap: wrap; }

  .whole > div:has(.locked) { flex: 1; display: grid; align-content: center; }
  .locked { display: grid; gap: 6px; max-width: 440px; }
  .locked .icon { width: 34px; height: 34px; color: var(--accent); }
  .locked h2 { font-size: 20px; line-height: 1.3; margin: 8px 0 0; }
  .locked p { margin: 0 0 10px; color: var(--muted); font-size: 15px; }
  .locked p.wrong { color: var(--wrong); margin: 4px 0; }
  .locked input { font: inherit; color: inherit; background: var(--raised); border: 1px solid var(--edge); border-radius: 10px;
                  padding: 8px 12px; min-height: 44px; }
  .locked .text-button { justify-self: start; min-height: 44px; margin-top: 6px; background: var(--accent);
                         border-color: var(--accent); color: var(--on-accent); }

  .sources { font-size: 14px; margin: 0 0 8px; border-top: 1px solid var(--line); padding-top: 8px; }
  .sources strong { font-size: 13px; color: var(--muted); }
  .sources ol { margin: 4px 0 0; padding-left: 22px; }
  .sources summary { cursor: pointer; min-height: 32px; line-height: 32px; border-radius: 5px; overflow: hidden;
                     text-overflow: ellipsis; white-space: nowrap; }
  .sources p { white-space: pre-wrap; border-left: 3px solid var(--accent); padding: 2px 0 2px 12px; margin: 4px 0 8px; }
  .sources .text-button { font-size: 14px; margin-bottom: 8px; }
  .chip { flex: none; font-size: 13px; border: 1px solid var(--edge); border-radius: 14px; padding: 1px 12px; min-height: 28px;
          color: var(--muted); }
  .chip[aria-pressed=true] { border-color: var(--accent); color: var(--accent); background: var(--hover); font-weight: 600; }
  .chip[aria-pressed=true]::before { content: "✓ "; }
  @media (pointer: coarse) { .chip { min-height: 44px; border-radius: 22px; } .sources summary { line-height: 44px; } }

  .latest { position: absolute; left: 50%; bottom: 8px; width: 40px; height: 40px; margin-left: -20px; display: grid;
            place-items: center; border: 1px solid var(--edge); border-radius: 50%; background: var(--raised);
            box-shadow: var(--shadow); }
  @media (pointer: coarse) { .latest { width: 44px; height: 44px; margin-left: -22px; } }

  .notices:empty { display: none; }
  .notice { display: flex; align-items: center; gap: 8px; font-size: 14px; line-height: 1.4; border: 1px solid var(--line);
            border-left: 3px solid var(--warning); border-radius: 10px; background: var(--raised);
            padding: 2px 2px 2px 12px; margin: 0 0 8px; }
  .notice.plain { border-left-color: var(--accent); }
  .notice.problem { border-left-color: var(--wrong); }
  .notice > span { padding: 7px 0; }

  .composer { padding-bottom: max(8px, env(safe-area-inset-bottom)); }
  .box { display: flex; align-items: flex-end; gap: 4px; border: 1px solid var(--edge); border-radius: 10px;
         background: var(--raised); padding: 4px; cursor: text; }
  .box:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
  textarea { flex: 1; min-width: 0; font: inherit; color: inherit; background: none; border: 0; outline: none !important;
             resize: none; padding: 10px 8px 10px 12px; max-height: 220px; }
  textarea::placeholder { color: var(--muted); opacity: 1; }
  .send { width: 45px; height: 45px; flex: none; display: grid; place-items: center; border-radius: 8px;
          background: var(--accent); color: var(--on-accent); }
  .send:disabled { background: none; color: var(--muted); }
  .below { display: flex; gap: 12px; padding: 5px 4px 0; min-height: 26px; }
  .hint { font-size: 12px; color: var(--muted); line-height: 1.5; }
  .hint.said { color: var(--ink); }
  .context { font-variant-numeric: tabular-nums; white-space: nowrap; margin-left: auto; }
  .editing { display: flex; gap: 12px; font-size: 13px; color: var(--muted); padding: 0 4px 5px; }
  .link { color: var(--accent); text-decoration: underline; text-underline-offset: 3px; }
  @media (max-width: 600px) {
    .tries { grid-template-columns: 1fr; gap: 8px; }
    .try span { -webkit-line-clamp: 1; }
    .sentence { font-size: 18px; margin: 10px 0 22px; }
    .column { padding-left: 12px; padding-right: 12px; }
  }
  @media (pointer: coarse) { .hint:not(.said, .context) { display: none; } .below { min-height: 4px; } .link { min-height: 44px; } }
  @media (max-height: 640px) { .welcome > .icon { display: none; } .sentence { margin: 0 0 18px; } }
`;
