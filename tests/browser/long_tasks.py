"""How long the page's main thread was busy in one go, and how much memory its process holds."""

from pathlib import Path

LISTEN = """() => {
  globalThis.tasks = []
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push([startTime, duration])
  }).observe({ type: 'longtask' })
}"""
SINCE = "(start) => tasks.filter(([at]) => at >= start).map(([, lasted]) => lasted)"


class LongTasks:
    """Those of a page from now on; a browser calls a task of more than 50 ms long."""

    def __init__(self, page):
        self.page = page
        page.evaluate(LISTEN)
        self.start = page.evaluate("performance.now()")

    def longest(self) -> float:
        """Milliseconds, 0 when none was long."""
        return max(self.page.evaluate(SINCE, self.start), default=0.0)


def resident(page) -> int:
    """Bytes that the page's process holds once it has thrown away what nobody needs. Linux."""
    browser = page.context.browser
    page.context.new_cdp_session(page).send("HeapProfiler.collectGarbage")
    rows = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return max(_resident(row["id"]) for row in rows if row["type"] == "renderer")


def _resident(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
