"""The pages of `chatledger serve` in a real browser: they fit, they can be used by everybody, and the keys work.

Needs Chromium and the extra `browser` (`make browser`), and is skipped without them. With
`CHATLEDGER_SCREENSHOTS=docs/images`, it takes the pictures of the documentation again.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatledger import Ledger
from chatledger.schemas.message_parts import tool_call, tool_result
from tests.support.sqlite import url_of

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SCREENSHOTS = os.environ.get("CHATLEDGER_SCREENSHOTS")
_PAGES = (
    "/", "/?q=trains", "/session/trip", "/session/other", "/session/long", "/usage?days=", "/comparisons", "/comparison/models", "/batches",
    "/batch/night", "/workflows", "/execution/run", "/timeouts", "/audit", "/session/nobody",
)  # fmt: skip
_ASKED = {
    "delete": ("/session/trip", "Change this conversation", "Delete …"),
    "redact": ("/session/helper", "Annotate, vote or redact", "Redact …"),
}
_WIDTHS = {"phone": 390, "tablet": 820, "desk": 1280}
_SHOWN = {
    "conversations": "/",
    "search": "/?q=trains",
    "conversation": "/session/trip",
    "comparison": "/comparison/models",
}

pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with closing(Ledger(url_of(tmp_path_factory.mktemp("browser") / "chat.db"))) as ledger:
        with ledger.begin() as uow:
            _fill(uow)
            uow.sessions.create("long", user_id="ada", title="W" * 300, project_id="p" * 120)
            uow.messages.append("long", "user", "an_unbroken_word" * 60)
        yield ledger


def _fill(uow: Any) -> None:
    uow.models.price("gpt-5", input="1.25", output="10")
    uow.sessions.create(
        "trip", user_id="ada", title="Night trains to Rome", project_id="holidays", model_id="gpt-5",
        system_prompt="You plan journeys.", hard_timeout=86_400,
    )  # fmt: skip
    uow.messages.append("trip", "user", "Which night trains go to Rome in May?")
    uow.messages.append(
        "trip", "assistant", "I look them up.",
        payload={"tool_calls": [tool_call("trains", {"to": "Rome"}, "c")], "reasoning": [{"text": "May is busy."}]},
        model_id="gpt-5", input_tokens=900, output_tokens=60, duration_ms=1800,
    )  # fmt: skip
    uow.messages.append("trip", **tool_result('{"trains": ["NJ 233", "NJ 295"]}', tool_call_id="c", name="trains"))
    uow.messages.append(
        "trip", "assistant",
        "**Two** of them:\n\n| train | from | leaves |\n| --- | --- | --- |\n| NJ 233 | Vienna | 19:18 |\n"
        "| NJ 295 | Munich | 20:09 |\n\n```python\nfor train in trains:\n    print(train)\n```",
        model_id="gpt-5", input_tokens=1100, output_tokens=180, duration_ms=4200,
    )  # fmt: skip
    uow.messages.append("trip", "system", "profile", hidden=True, outcome="interrupted")
    uow.sessions.fork("trip", at=4, new_session_id="other", title="By day instead")
    uow.sessions.create("helper", parent="trip", title="Looks for hotels")
    uow.messages.append("helper", "user", "Three nights near the station")
    uow.annotations.add("trip", sequence_number=4, label="helpful", text="Both exist.", author="eve")
    uow.annotations.add("trip", label="gold", score=0.9)
    uow.comparisons.create("models", variants=["gpt-5", "claude"], title="Which model plans better")
    for variant in ("gpt-5", "claude"):
        uow.sessions.create(variant, title=f"A journey, by {variant}")
        uow.messages.append(variant, "user", "Where to in May?")
        uow.messages.append(variant, "assistant", f"Lisbon, says {variant}. " * 8)
        uow.comparisons.add("models", variant, variant, prompt_key="may")
    uow.comparisons.record("models", "may", "gpt-5", "claude", judge="eve", preference=1.0, notes="Shorter.")
    uow.batches.create("night", [{"key": f"question {n}", "payload": {"n": n}} for n in range(12)], name="Night run")
    first, second, *_ = uow.batches.claim("night", worker="w", limit=4)
    uow.batches.complete(first, {"said": "done"}, session_id="trip")
    uow.batches.fail(second, "no answer", retry=False)
    uow.workflows.define({"name": "digest", "steps": {"ask": {"uses": "ask"}}})
    uow.workflows.start("digest", execution_id="run")
    uow.sessions.hold("other", reason="an example")


@contextmanager
def _served(ledger: Ledger, **options: Any) -> Iterator[str]:
    import uvicorn

    from chatledger.web.pages.application import browser

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(browser(ledger, **options), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def address(filled: Ledger) -> Iterator[str]:
    for name in ("fastapi", "nh3", "uvicorn"):
        pytest.importorskip(name)
    with _served(filled, author="ada") as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        # A container's root has no sandbox, and little shared memory.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        try:
            chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=arguments, timeout=90_000)
        except api.Error as error:
            pytest.skip(f"Chromium does not start here: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@contextmanager
def _opened(chromium: Any, width: int = 1280, **options: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_default_timeout(60_000)  # a busy machine is no reason to fail
    try:
        yield context.new_page()
    finally:
        context.close()


# The rules of axe look at colors and at what is there: one width of each scheme is enough for them, and takes half as long.
@pytest.mark.parametrize(("scheme", "width_for_axe"), [("light", "phone"), ("dark", "desk")])
def test_every_page_fits_and_can_be_used_by_everybody(
    chromium: Any, address: str, scheme: str, width_for_axe: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    wrong: list[str] = []
    with _opened(chromium, color_scheme=scheme, bypass_csp=True) as page:
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        for path in (*_PAGES, *_ASKED):
            _visit(page, address, path)
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            for name, width in _WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 900})
                if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                    wrong.append(f"{path}: wider than a {name}")
                if name == width_for_axe:
                    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
                    wrong += [
                        f"{path}: {one['id']}: {one['nodes'][0]['html'][:200]}"
                        for one in found
                        if one["impact"] in ("serious", "critical")
                    ]
    assert [] == wrong


def _visit(page: Any, address: str, path: str) -> None:
    """Open a page, or the one that asks before what cannot be undone: `_ASKED` says which button leads to it."""
    page.goto(address + _ASKED.get(path, (path,))[0])
    if path in _ASKED:
        _, fold, button = _ASKED[path]
        page.click(f"summary:text-is('{fold}')")
        page.click(f"button:text-is('{button}')")
        page.wait_for_selector("input[name=confirm]")


def test_forms_can_be_filled_in_with_the_keyboard(chromium: Any, address: str, filled: Ledger) -> None:
    filled.run(lambda uow: uow.sessions.create("keys", title="Before"))
    with _opened(chromium) as page:
        page.goto(f"{address}/session/keys")
        page.focus("summary:text-is('Change this conversation')")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert "title" == page.evaluate("document.activeElement.name")
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type("j and k are letters here")  # and not keys
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=status]:text-is('Renamed.')")
        page.keyboard.press("Tab")
        assert "To the content" == page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        assert page.url.endswith("#content")
    assert "j and k are letters here" == filled.view(lambda uow: uow.sessions.get("keys")).title


def test_a_form_of_another_site_changes_nothing(chromium: Any, address: str, filled: Ledger) -> None:
    filled.run(lambda uow: uow.sessions.create("target", title="Before"))
    with _opened(chromium) as page:
        page.goto(f"{address}/session/target")  # so that this browser has the cookie
        form_token = page.get_attribute("input[name=form_token]", "value")
        page.route(
            "http://localhost/evil",
            lambda route: route.fulfill(
                content_type="text/html",
                # It even knows the token, which it cannot read.
                body=f'<form method="post" action="{address}/session/target"><input name="action" value="rename">'
                f'<input name="form_token" value="{form_token}"><input name="title" value="Evil"><button>x</button></form>',
            ),
        )
        page.goto("http://localhost/evil")
        page.click("button")
        page.wait_for_selector("h1:text-is('Forbidden')")
    assert "Before" == filled.view(lambda uow: uow.sessions.get("target")).title


def test_nothing_is_loaded_from_elsewhere_and_the_policy_refuses_nothing_of_ours(chromium: Any, address: str) -> None:
    asked: list[str] = []
    refused: list[str] = []
    with _opened(chromium) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        for path in _PAGES[:-1]:
            page.goto(address + path)
    assert [] == [url for url in asked if not url.startswith((address, "data:"))]
    assert [] == refused


def test_a_search_answers_while_one_types(chromium: Any, address: str) -> None:
    with _opened(chromium) as page:
        page.goto(address)
        page.keyboard.press("/")
        page.keyboard.type("trains")
        page.wait_for_selector("#results mark")
        assert "q=trains" in page.url
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        assert "Night trains" in page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        page.wait_for_url("**/session/**")
        assert "Night trains to Rome" == page.inner_text("h1")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_forms_work(chromium: Any, address: str, filled: Ledger, scripts: bool) -> None:
    name = f"scripts {scripts}"
    filled.run(lambda uow: uow.sessions.create(name, title="Before"))
    filled.run(lambda uow: uow.messages.append(name, "user", "mine"))
    with _opened(chromium, java_script_enabled=scripts) as page:
        page.goto(f"{address}/session/{name}")
        page.click("text=Change this conversation")
        page.fill("input[name=title]", "After")
        page.click("button:text-is('Rename')")
        page.wait_for_selector("[role=status]:text-is('Renamed.')")
        assert "After" == page.inner_text("h1")
        page.click("text=Annotate, vote or redact")
        page.click("button:text-is('Good answer')")
        page.wait_for_selector("[role=status]:text-is('Your vote is stored.')")
        page.click("text=Change this conversation")
        page.click("button:text-is('Delete …')")
        page.fill("input[name=confirm]", "delete")
        page.click("button:text-is('Delete')")
        page.wait_for_selector("[role=status]:text-is('The conversation is deleted.')")
    assert filled.view(lambda uow: uow.sessions.find(name)) is None


@pytest.mark.skipif(_SCREENSHOTS is None, reason="writes the pictures of the documentation, if asked for")
def test_pictures_of_the_documentation(chromium: Any, tmp_path: Path) -> None:
    ledger = Ledger(url_of(tmp_path / "chat.db"))
    ledger.run(_fill)
    with closing(ledger), _served(ledger) as address, _opened(chromium, 1100) as page:
        page.set_viewport_size({"width": 1100, "height": 760})
        for name, path in _SHOWN.items():
            page.goto(address + path)
            page.screenshot(path=str(Path(str(_SCREENSHOTS)) / f"{name}.png"), animations="disabled")
