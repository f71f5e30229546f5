/** What py/onglet/components.py shows: each name is a class there. */
import { renderBar } from "./bar.js";
import { renderChat } from "./chat.js";
import { renderHistory } from "./history.js";
import { renderPaper } from "./paper.js";
import { renderRail } from "./rail.js";
import { renderSheet } from "./sheet.js";

export default {
  Bar: { render: renderBar },
  Chat: { render: renderChat },
  History: { render: renderHistory },
  Paper: { render: renderPaper },
  Rail: { render: renderRail },
  Sheet: { render: renderSheet },
};
