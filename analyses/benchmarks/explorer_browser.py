"""What a reader of the explorer waits for, timed within a real browser for its benchmark."""

import random
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any, final

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from .chromium import CHROMIUM, FLAGS
from .explorer_server import Server

WATCH = (Path(__file__).parent / "explorer_watch.js").read_text("utf-8")
BUNDLE = ("/_dash-component-suites/", "/assets/")
WIDTH, HEIGHT = 1280, 900
QUIET = 300
MIB = 1 << 20
KEYS = {(0, 1): "ArrowRight", (0, -1): "ArrowLeft", (1, 0): "ArrowDown", (-1, 0): "ArrowUp"}
"""The keys that move the chosen head by so many layers and heads."""


@final
@dataclass(frozen=True)
class Visits:
    """Seconds to the drawn first page, visit by visit, and the bytes that one moves."""

    cold: float
    warm: Sequence[float]
    bundle_bytes: int
    page_bytes: int


@final
@dataclass(frozen=True)
class Switches:
    """Milliseconds of every head switch, processor time of one, and memory before and after."""

    first: Sequence[float]
    all_charts: Sequence[float]
    server_milliseconds: float
    browser_milliseconds: float
    heap_before: float
    heap_after: float
    server_before: float
    server_after: float


@contextmanager
def browsing() -> Iterator[Browser]:
    """Open the browser of this machine, or the one that LENS_CHROMIUM names."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def visits(browser: Browser, server: Server, count: int) -> Visits:
    """Open the first page, once with an empty cache and then warm."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.set_default_timeout(120_000)
    page = context.new_page()
    moved: dict[str, list[int]] = {"bundle": [], "page": []}
    session = _counting(page, moved)
    cold = _visit(page, server.address)
    bundle, first = sum(moved["bundle"]), sum(moved["page"])
    warm = [_visit(page, server.address) for _ in range(count)]
    session.detach()
    context.close()
    return Visits(cold, warm, bundle, first)


def _visit(page: Page, address: str) -> float:
    page.goto("about:blank")
    page.goto(f"{address}/", wait_until="commit")
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    shown = page.evaluate("""() => new Promise(done => requestAnimationFrame(
        () => setTimeout(() => done(performance.now() / 1000))))""")
    return float(shown)


def _counting(page: Page, moved: dict[str, list[int]]) -> CDPSession:
    session, kinds = page.context.new_cdp_session(page), {}

    def asked(event: dict[str, Any]) -> None:
        bundled = any(part in event["request"]["url"] for part in BUNDLE)
        kinds[event["requestId"]] = "bundle" if bundled else "page"

    def ended(event: dict[str, Any]) -> None:
        moved[kinds.get(event["requestId"], "page")].append(int(event["encodedDataLength"]))

    session.on("Network.requestWillBeSent", asked)
    session.on("Network.loadingFinished", ended)
    session.send("Network.enable")
    return session


def switches(browser: Browser, server: Server, count: int, *, layers: int, heads: int) -> Switches:
    """Walk from head to head with arrow keys, as often as `count`, after a few to warm up.

    A head is met again only after all have been: what the server remembers helps nobody before.
    """
    context, page = _tab(browser, f"{server.address}/heads?layer=0&head=0", "[data-headgrid] .hm")
    page.locator("[data-headgrid]").focus()
    keys = _walk(count + 5, layers, heads)
    for _ in range(5):
        _switch(page, next(keys))
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    heap, memory = _heap(session), server.memory()
    served, drawn = server.processor_seconds(), _processor_seconds(browser)
    found = [_switch(page, next(keys)) for _ in range(count)]
    served, drawn = server.processor_seconds() - served, _processor_seconds(browser) - drawn
    after = _heap(session)
    context.close()
    return Switches(
        first=[each["first"] for each in found],
        all_charts=[each["all"] for each in found],
        server_milliseconds=1000 * served / count,
        browser_milliseconds=1000 * drawn / count,
        heap_before=heap,
        heap_after=after,
        server_before=memory,
        server_after=server.memory(),
    )


def hovers(browser: Browser, server: Server, count: int) -> list[float]:
    """Point at tokens of the text, and return the milliseconds until each is shown."""
    context, page = _tab(browser, f"{server.address}/tokens?layer=1&head=1", ".shaded .token")
    page.locator("[data-edges]").wait_for(state="attached")
    words = page.locator(".shaded .token")
    page.evaluate("document.querySelector('.shaded').style.maxHeight = 'none'")
    places, draw = words.count(), random.Random(0)
    found = []
    for _ in range(count):
        word = words.nth(draw.randrange(places))
        word.evaluate("word => word.scrollIntoView({ block: 'center' })")
        page.mouse.move(2, 2)
        page.evaluate("window.hovered = timeHover(), 0")
        word.hover(force=True)
        found.append(float(page.evaluate("window.hovered")))
    context.close()
    return found


def _tab(browser: Browser, address: str, drawn: str) -> tuple[Any, Page]:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.set_default_timeout(120_000)
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(address)
    page.locator(drawn).first.wait_for()
    page.wait_for_load_state("networkidle")
    return context, page


def _walk(count: int, layers: int, heads: int) -> Iterator[str]:
    """Go from the first head through all of them, layer by layer, there and back."""
    places = [
        (layer, heads - 1 - head if layer % 2 else head)
        for layer in range(layers)
        for head in range(heads)
    ]
    steps = pairwise(cycle([*places, *places[-2:0:-1]]))
    for one, other in islice(steps, count):
        yield KEYS[other[0] - one[0], other[1] - one[1]]


def _switch(page: Page, key: str) -> dict[str, float]:
    page.evaluate(f"window.switched = timeSwitch({QUIET}), 0")
    page.keyboard.press(key)
    found = page.evaluate("window.switched")
    return {name: float(each) for name, each in found.items()}


def _heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize") / MIB


def _processor_seconds(browser: Browser) -> float:
    """Return what all processes of the browser had of the processor so far."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return sum(each["cpuTime"] for each in found)


def median(values: Sequence[float]) -> float:
    """Return the median of some times."""
    return statistics.median(values)
