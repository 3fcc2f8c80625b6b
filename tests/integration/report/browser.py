"""A page as Chromium shows it on a telephone and on a desk."""

import json
import logging
import os
import shutil

import support

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError:
    webdriver = None

PHONE, DESK = 360, 1100
# In a container as root it has no sandbox of its own.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu",
           "--disable-dev-shm-usage", "--disable-background-networking",
           "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND"]


class Browser:
    """Closed by `with`. Remembers what pages asked for and complained of."""

    def __enter__(self):
        driver = shutil.which("chromedriver")
        if webdriver is None or driver is None or not shutil.which("chromium"):
            raise support.Skip("there is no browser; apt install chromium "
                               "chromium-driver python3-selenium")
        logging.getLogger("selenium").setLevel(logging.ERROR)
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for option in OPTIONS:
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs",
                               {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service(driver, log_path=os.devnull), options=options)
        self.driver.set_page_load_timeout(60)
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def open(self, path, width=DESK, scheme="light"):
        command = self.driver.execute_cdp_cmd
        command("Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 740, "deviceScaleFactor": 1,
                 "mobile": width == PHONE})
        command("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.get(f"file://{path}")

    def ask(self, script, *arguments):
        return self.driver.execute_script("return " + script, *arguments)

    def texts(self, selector):
        return self.ask("[...document.querySelectorAll(arguments[0])]"
                        ".map(e => e.textContent)", selector)

    def count(self, selector):
        return len(self.texts(selector))

    def requests(self):
        """What was asked for since the last time, beside pages and data."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file:///", "data:")):
                    found.append(url)
        return found

    def complaints(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]


# Text that can be seen, and whose contrast with what is behind it is below
# that of WCAG 2.1, 1.4.3 (AA).
FAINT = r"""(() => {
  const parts = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => {
    const [r, g, b] = parts(c).map(v => v / 255).map(
        v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (parts(c)[3] !== 0) return c;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      faint.push(e.className + " " + walk.currentNode.data + " " + contrast);
  }
  return faint;
})()"""
