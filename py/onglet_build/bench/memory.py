"""How much memory a process had at most, from Linux; None elsewhere."""

from pathlib import Path


def high_water(process: int) -> int | None:
    """The most bytes that the process ever had resident."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


def peak_of_pages(browser) -> int | None:
    """The most bytes that a page's process of a Playwright browser ever had resident."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    peaks = [high_water(row["id"]) for row in processes if row["type"] == "renderer"]
    return max((peak for peak in peaks if peak), default=None)
